#include "sidecar/cli/watch.h"

#include <doctest/doctest.h>

#include <sstream>

namespace sidecar::cli {
namespace {

TEST_CASE("a frame overwrites the one before and hides what does not fit") {
  const struct {
    const char* what;
    const char* text;
    size_t rows;
    const char* bytes;
  } rows[] = {
      {"nothing: the screen is emptied", "", 5, "\033[H\033[J"},
      {"each line erases the rest of its own row", "a\nb\n", 5,
       "\033[Ha\033[0m\033[K\nb\033[0m\033[K\033[J"},
      {"as many lines as rows all fit", "a\nb\n", 2, "\033[Ha\033[0m\033[K\nb\033[0m\033[K\033[J"},
      {"one too many: the last row counts what is hidden", "a\nb\nc\n", 2,
       "\033[Ha\033[0m\033[K\n… 2 more lines: enlarge the window\033[0m\033[K\033[J"},
      {"a colour stays", "\033[31mred\033[0m", 5, "\033[H\033[31mred\033[0m\033[0m\033[K\033[J"},
      {"no other sequence does: it would move the cursor or the window's title",
       "\033]0;title\a\033[2Jx", 5, "\033[H?]0;title??[2Jx\033[0m\033[K\033[J"},
      {"nor a carriage return, which would hide what stands before it", "bad\rgood", 5,
       "\033[Hbad?good\033[0m\033[K\033[J"},
      {"nor a control character of two bytes", "\xc2\x9bJ", 5, "\033[H?J\033[0m\033[K\033[J"},
      {"letters of other alphabets do", "Z\xc3\xbcrich", 5,
       "\033[HZ\xc3\xbcrich\033[0m\033[K\033[J"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.what);
    CHECK(FrameBytes(row.text, row.rows) == row.bytes);
  }
}

TEST_CASE("a program that wants JSON is sent away before anything is asked") {
  const AdminClient nobody("/nonexistent/sock");
  std::ostringstream out, err;
  bool looked = false;
  const auto look = [&](const Console&) {
    looked = true;
    return static_cast<int>(kExitDone);
  };
  CHECK(Watch({nobody, out, err, true}, look) == kExitUsage);
  CHECK_FALSE(looked);
  CHECK(out.str().find("--watch needs a terminal") != std::string::npos);
}

}  // namespace
}  // namespace sidecar::cli
