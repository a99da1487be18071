#include "broker/policy/nearest.h"

#include <doctest/doctest.h>

#include <vector>

using namespace broker::policy;

TEST_CASE("Edits are counted; capitals and underscores are none") {
  struct Row {
    const char *a, *b;
    size_t distance;
  };
  const Row rows[] = {
      {"", "", 0},
      {"seal", "seal", 0},
      {"seal", "", 4},
      {"sael", "seal", 1},
      {"sel", "seal", 1},
      {"seall", "seal", 1},
      {"zeal", "seal", 1},
      {"aid_mail", "aid-mail", 0},
      {"mail.READ", "Mail.Read", 0},
      {"abc", "cab", 2},
      {"Mail.Send", "Mail.Read", 2},
  };
  for (const Row& row : rows) {
    CAPTURE(row.a);
    CAPTURE(row.b);
    CHECK(EditDistance(row.a, row.b) == row.distance);
    CHECK(EditDistance(row.b, row.a) == row.distance);
  }
}

TEST_CASE("A slip of the pen finds what was meant, and another word finds nothing") {
  struct Row {
    const char* why;
    const char* word;
    std::vector<std::string_view> known;
    const char* meant;
  };
  const std::vector<std::string_view> commands = {"status", "ready", "agents", "audit", "seal"};
  const std::vector<std::string_view> vaults = {"azure-key-vault", "mounted-files"};
  // clang-format off
  const Row rows[] = {
      {"two letters swapped",       "stauts",       commands,                      "status"},
      {"one letter short",          "agent",        commands,                      "agents"},
      {"an underscore",             "aid_mail",     {"aid-mail", "reports"},       "aid-mail"},
      {"in capitals",               "STATUS",       commands,                      "status"},
      {"the nearer of two",         "mial",         {"aid-mail", "mail"},          "mail"},
      {"a part, without a hyphen",  "keyvault",     vaults,                        "azure-key-vault"},
      {"a part, with an underscore","key_vault",    vaults,                        "azure-key-vault"},
      {"the whole with more",       "mounted-files-csi", vaults,                   "mounted-files"},
      {"the part of one name",      "mail",         {"aid-mail", "reports"},       "aid-mail"},
      {"the part of two names",     "mail",         {"aid-mail", "mail-app"},      ""},
      {"a part of three letters",   "app",          {"reports-app"},               ""},
      {"another word",              "frobnicate",   commands,                      ""},
      {"a short word",              "foo",          commands,                      ""},
      {"nothing",                   "",             commands,                      ""},
      {"nothing known",             "status",       {},                            ""},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(Nearest(row.word, row.known) == row.meant);
  }
  CHECK(Nearest(std::string(65, 's'), commands).empty());
  CHECK(DidYouMean("stauts", commands) == "did you mean \"status\"");
  CHECK(DidYouMean("frobnicate", commands).empty());
}
