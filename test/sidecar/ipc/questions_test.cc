#include "sidecar/ipc/questions.h"

#include <doctest/doctest.h>

using namespace sidecar::ipc;
using broker::Error, broker::ErrorCode;

TEST_CASE("A question's number comes back with its answer") {
  for (const Numbered& sent :
       {Numbered{0, ""}, Numbered{41, "/run/token"}, Numbered{7, "8 nine"}}) {
    const auto got = DecodeNumbered(Encode(sent));
    REQUIRE(got.has_value());
    CHECK(got->number == sent.number);
    CHECK(got->text == sent.text);
  }
  for (const char* text : {"", " ", "x", "1", "-1 x", "x 1", "1x ", "99999999999999999999 x"}) {
    CAPTURE(text);
    CHECK_FALSE(DecodeNumbered(text).has_value());
  }
}

TEST_CASE("Why a file was not opened survives the way") {
  for (const ErrorCode code : {ErrorCode::kNotFound, ErrorCode::kDenied, ErrorCode::kUnavailable}) {
    const Error got = FileErrorOf(TextOf({code, "/x: why"}));
    CHECK(got.code == code);
    CHECK(got.detail == "/x: why");
  }
  CHECK(FileErrorOf("").code == ErrorCode::kUnavailable);
  CHECK(FileErrorOf("nonsense").code == ErrorCode::kUnavailable);
}
