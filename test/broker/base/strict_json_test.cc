#include "broker/base/strict_json.h"

#include <doctest/doctest.h>

#include <string>

using broker::ParseStrictJson;

TEST_CASE("JSON with more than one meaning, or none, is refused") {
  // clang-format off
  struct Row { const char* why; std::string text; };
  const Row rows[] = {
      {"duplicate key",             R"({"a":1,"a":2})"},
      {"duplicate after an escape", R"({"a":1,"\u0061":2})"},
      {"duplicate further down",    R"({"x":{"a":1,"a":2}})"},
      {"2^64 becomes a float",      R"({"a":18446744073709551616})"},
      {"float",                     R"({"a":1.5})"},
      {"NUL in a key",              R"({"a\u0000b":1})"},
      {"text after the value",      R"({"a":1} x)"},
      {"NUL after the value",       std::string(R"({"a":1})") + '\0'},
      {"text after a NUL",          std::string(R"({"a":1})") + '\0' + R"("b":2})"},
      {"second value",              R"({"a":1}{"a":1})"},
      {"empty",                     ""},
      {"comment",                   "{/**/}"},
      {"trailing comma",            R"({"a":1,})"},
      {"bad UTF-8",                 "{\"a\":\"\xff\"}"},
      {"control byte in a string",  "{\"a\":\"\x01\"}"},
      {"too deep",                  std::string(9, '[') + std::string(9, ']')},
      {"very deep",                 std::string(100000, '[')},
      {"unfinished",                R"({"a":)"},
      {"half a surrogate pair",     R"({"a":"\ud800"})"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    const auto got = ParseStrictJson(row.text);
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().code == broker::ErrorCode::kInvalidRequest);
  }
}

TEST_CASE("An error never quotes the input") {
  const auto got = ParseStrictJson(R"({"secret":hunter2})");
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error().detail.find("hunter2") == std::string::npos);
}

TEST_CASE("Well-formed JSON arrives as it was sent") {
  const auto got = ParseStrictJson(R"( {"s":"a\nb","n":[1,-2,true,null],"o":{"k":{}}} )");
  REQUIRE(got.has_value());
  CHECK(got->dump() == R"({"n":[1,-2,true,null],"o":{"k":{}},"s":"a\nb"})");
  CHECK(ParseStrictJson("1.5", {.allow_floats = true}).has_value());
}
