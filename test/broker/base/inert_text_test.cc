// What people read beside purser's own words stays where it stands, and is seen.
#include "broker/base/inert_text.h"

#include <doctest/doctest.h>

#include <string>

TEST_CASE("Text that is hidden, or covers what stands around it, is no text for people") {
  const std::string acute = "\xcc\x81";
  // clang-format off
  struct Row { const char* what; std::string text; bool inert; };
  const Row rows[] = {
      {"nothing",                              "",                                           true},
      {"letters of other alphabets",           "Z\xc3\xbcrich, \xd0\x9c\xd0\xb8\xd1\x80",     true},
      {"an accent of its own",                 "e" + acute,                                  true},
      {"four marks, as spellings have",        "e" + acute + acute + acute + acute,          true},
      {"a family: joiners between people",     "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7", true},
      {"a heap of marks",                      "e" + acute + acute + acute + acute + acute,  false},
      {"a zero-width space",                   "ap\xe2\x80\x8b" "prove",                      false},
      {"a soft hyphen",                        "ap\xc2\xadprove",                            false},
      {"a byte order mark",                    "\xef\xbb\xbf" "a",                             false},
      {"an invisible letter",                  "\xe3\x85\xa4",                               false},
      {"a variation selector beyond all fonts", "a\xf3\xa0\x84\x80",                          false},
      {"a tag",                                "a\xf3\xa0\x80\xa1",                           false},
      {"a direction turned over",              "a\xe2\x80\xae" "b",                            false},
      {"a line separator",                     "a\xe2\x80\xa8" "b",                            false},
      {"a control character of two bytes",     "a\xc2\x9b" "b",                                false},
      {"no UTF-8",                             "a\xff",                                       false},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(std::string(row.what));
    CHECK(broker::IsInertText(row.text) == row.inert);
  }
}
