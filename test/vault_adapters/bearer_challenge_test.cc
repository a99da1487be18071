#include "vault_adapters/bearer_challenge.h"

#include <doctest/doctest.h>

using vault::BearerChallenge, vault::CheckChallenge, vault::ParseBearerChallenge;

TEST_CASE("A challenge is read as the service and its older versions write it") {
  const char* const authority = "https://login.microsoftonline.com/t";
  for (
      const char* header : {
          R"(Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.azure.net")",
          R"(bearer  authorization="https://login.microsoftonline.com/t",resource="https://vault.azure.net/")",
          R"(Bearer Resource="https://vault.azure.net" , authorization="https://login.microsoftonline.com/t")",
          R"(Bearer authorization="https://login.microsoftonline.com/t", scope="https://vault.azure.net/.default")",
          R"(Bearer error="invalid_token", authorization="https://login.microsoftonline.com/t", resource="https://vault.azure.net")",
      }) {
    CAPTURE(header);
    const auto challenge = ParseBearerChallenge(header);
    REQUIRE(challenge.has_value());
    CHECK(challenge->authorization == authority);
    CHECK(challenge->resource == "https://vault.azure.net");
  }
}

TEST_CASE("What is no such challenge is not read") {
  for (const char* header : {
           "",
           "Bearer",
           "Bearer ",
           R"(Basic realm="x")",
           R"(Negotiate)",
           R"(Bearer resource="https://vault.azure.net")",
           R"(Bearer authorization="https://login.microsoftonline.com/t")",
           R"(Bearer authorization="https://login.microsoftonline.com/t" resource="https://v")",
           R"(Bearer authorization="https://login.microsoftonline.com/t", resource="https://v)",
           R"(Bearer authorization="https://login.microsoftonline.com/t", resource="https://v\"")",
           R"(Bearer authorization="a", authorization="b", resource="https://v")",
           R"(Bearer authorization="a", resource="https://v",)",
           R"(Bearer authorization="a", scope="https://v/User.Read")",
           "Bearer authorization=\"a\", resource=\"https://v\n\"",
           R"(Bearer ="a")",
       }) {
    CAPTURE(header);
    CHECK_FALSE(ParseBearerChallenge(header).has_value());
  }
}

TEST_CASE("A challenge is followed to our tenant and this vault's resource, nowhere else") {
  struct Row {
    const char* why;
    const char* authorization;
    const char* resource;
    bool custom_cloud;
    bool followed;
  };
  // clang-format off
  const Row rows[] = {
      {"ours",                        "https://login.microsoftonline.com/8F0C",   "https://vault.azure.net",      false, true},
      {"another authority's host",    "https://login.windows.net/8f0c",           "https://vault.azure.net",      false, true},
      {"a final slash",               "https://login.windows.net/8f0c/",          "https://vault.azure.net",      false, true},
      {"our domain",                  "https://login.windows.net/contoso.example", "https://VAULT.azure.net",     false, true},
      {"another tenant",              "https://login.microsoftonline.com/9f0c",   "https://vault.azure.net",      false, false},
      {"our tenant elsewhere",        "https://login.microsoftonline.com/x/8f0c/y", "https://vault.azure.net",    false, false},
      {"no tenant",                   "https://login.microsoftonline.com",        "https://vault.azure.net",      false, false},
      {"no authority",                "8f0c",                                     "https://vault.azure.net",      false, false},
      {"another cloud's vaults",      "https://login.microsoftonline.com/8f0c",   "https://vault.azure.cn",       false, false},
      {"Graph",                       "https://login.microsoftonline.com/8f0c",   "https://graph.microsoft.com",  false, false},
      {"a wider suffix of the host",  "https://login.microsoftonline.com/8f0c",   "https://azure.net",            false, false},
      {"the host itself",             "https://login.microsoftonline.com/8f0c",   "https://corp.vault.azure.net", false, false},
      {"the host's end, no label",    "https://login.microsoftonline.com/8f0c",   "https://ault.azure.net",       false, false},
      {"plain http",                  "https://login.microsoftonline.com/8f0c",   "http://vault.azure.net",       false, false},
      {"a user in front",             "https://login.microsoftonline.com/8f0c",   "https://x@vault.azure.net",    false, false},
      {"a path behind",               "https://login.microsoftonline.com/8f0c",   "https://vault.azure.net/x",    false, false},
      {"a cloud of one's own",        "https://login.example/8f0c",               "https://vault.azure.net",      true,  true},
      {"another resource there",      "https://login.example/8f0c",               "https://vault.example",        true,  false},
      {"another tenant there",        "https://login.example/9f0c",               "https://vault.azure.net",      true,  false},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    const auto checked =
        CheckChallenge({row.authorization, row.resource},
                       {.vault_host = row.custom_cloud ? "localhost" : "corp.vault.azure.net",
                        .resource = "https://vault.azure.net",
                        .tenants = {"8f0c", "contoso.example"},
                        .custom_cloud = row.custom_cloud});
    CHECK(checked.has_value() == row.followed);
    if (!checked) CHECK_FALSE(checked.error().contains("9f0c"));
  }
}
