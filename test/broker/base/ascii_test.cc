#include "broker/base/ascii.h"

#include <doctest/doctest.h>

TEST_CASE("Only ASCII letters differ in case") {
  struct Row {
    const char* why;
    const char* a;
    const char* b;
    bool same;
  };
  const Row rows[] = {
      {"nothing", "", "", true},
      {"the same", "Mail.Read", "Mail.Read", true},
      {"first and last letters", "AZaz", "azAZ", true},
      {"another letter", "Mail.Read", "Mail.Reaf", false},
      {"a longer one", "Mail.Read", "Mail.Read ", false},
      {"a prefix", "Mail", "Mail.Read", false},
      {"the bytes around the letters", "@[", "`{", false},
      {"letters that are not ASCII", "\xc3\x84", "\xc3\xa4", false},
      {"the Kelvin sign is no k", "\xe2\x84\xaa", "k", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(broker::SameIgnoringCase(row.a, row.b) == row.same);
    CHECK((broker::Lowered(row.a) == broker::Lowered(row.b)) == row.same);
  }
}

TEST_CASE("Digits and ASCII letters are alphanumeric, nothing else") {
  for (const char c : {'0', '9', 'A', 'Z', 'a', 'z'}) CHECK(broker::IsAlnum(c));
  for (const char c : {'/', ':', '@', '[', '`', '{', ' ', '\0', '\xe4'}) {
    CHECK_FALSE(broker::IsAlnum(c));
  }
}
