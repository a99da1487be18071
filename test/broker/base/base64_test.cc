#include "broker/base/base64.h"

#include <doctest/doctest.h>

using broker::Base64Decode, broker::Base64UrlDecode, broker::Base64UrlEncode;
using broker::Base64UrlEncodeSecret, broker::Exit;

TEST_CASE("base64 follows RFC 4648 §10 and has one spelling") {
  const std::pair<const char*, const char*> rows[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
      {"\xfb\xff", "+/8="},
  };
  for (const auto& [bytes, text] : rows) {
    CAPTURE(text);
    const auto back = Base64Decode(text);
    REQUIRE(back.has_value());
    CHECK(back->Expose(Exit::kTest) == bytes);
  }
  for (const char* text : {"Zg", "Zg=", "Zh==", "-_8=", "Zm9v\n", "Zm9v=", "Zm 9v"}) {
    CAPTURE(text);
    CHECK_FALSE(Base64Decode(text).has_value());
  }
}

TEST_CASE("A secret is encoded as any other bytes are") {
  for (const char* bytes : {"", "f", "fo", "foo", "foob", "\xfb\xff"}) {
    CHECK(Base64UrlEncodeSecret(bytes).Expose(Exit::kTest) == Base64UrlEncode(bytes));
  }
}

TEST_CASE("base64url follows RFC 4648 §10 without padding") {
  const std::pair<const char*, const char*> rows[] = {
      {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
      {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff", "-_8"},
  };
  for (const auto& [bytes, text] : rows) {
    CHECK(Base64UrlEncode(bytes) == text);
    const auto back = Base64UrlDecode(text);
    REQUIRE(back.has_value());
    CHECK(back->Expose(Exit::kTest) == bytes);
  }
  // RFC 7515 appendix C.
  CHECK(Base64UrlEncode({"\x03\xec\xff\xe0\xc1", 5}) == "A-z_4ME");
}

TEST_CASE("base64url has one spelling") {
  for (const char* text :
       {"Zg==", "Zm8=", "Z", "Zh", "Zm9", "+/8", "Zm 9v", "Zm9v\n", "Zm9v.", "é"}) {
    CAPTURE(text);
    CHECK_FALSE(Base64UrlDecode(text).has_value());
  }
}
