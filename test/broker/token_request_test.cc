#include "broker/token_request.h"

#include <doctest/doctest.h>

using broker::ParseScopes, broker::Reason;

namespace {
constexpr const char* kGraph = "https://graph.microsoft.com";
using Scopes = std::vector<std::string>;
}  // namespace

TEST_CASE("Scopes that do not name one set of permissions of one resource are refused") {
  // clang-format off
  struct Row { const char* why; Scopes scopes; Reason want; };
  const Row rows[] = {
      {"none",                      {},                                              Reason::kMissingField},
      {"empty",                     {""},                                            Reason::kInvalidScope},
      {"blank inside",              {"Mail.Read Mail.Send"},                         Reason::kInvalidScope},
      {"control byte",              {"Mail.Read\n"},                                 Reason::kInvalidScope},
      {"not ASCII",                 {"Mäil.Read"},                                   Reason::kInvalidScope},
      {"quote",                     {"Mail\"Read"},                                  Reason::kInvalidScope},
      {"percent",                   {"Mail%2eRead"},                                 Reason::kInvalidScope},
      {"a path, no resource",       {"graph/Mail.Read"},                             Reason::kInvalidScope},
      {"resource without a name",   {"https://graph.microsoft.com/"},                Reason::kInvalidScope},
      {"host only",                 {"https://graph.microsoft.com"},                 Reason::kInvalidScope},
      {"two resources",             {"Mail.Read", "https://vault.azure.net/x"},      Reason::kMixedResources},
      {"another Graph",             {"Mail.Read", "https://graph.microsoft.us/Mail.Read"}, Reason::kMixedResources},
      {".default and a name",       {".default", "Mail.Read"},                       Reason::kInvalidScope},
      {"OIDC scope",                {"openid"},                                      Reason::kInvalidScope},
      {"offline_access",            {"Mail.Read", "offline_access"},                 Reason::kInvalidScope},
      {"too long",                  {std::string(257, 'a')},                         Reason::kInvalidScope},
      {"too many",                  Scopes(65, "Mail.Read"),                         Reason::kValueOutOfRange},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    const auto got = ParseScopes(row.scopes, kGraph);
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().reason == row.want);
  }
}

TEST_CASE("Short names mean Graph, URIs mean what they say, order and repetition mean nothing") {
  const auto mail =
      ParseScopes({"Mail.Send", "Mail.Read", "https://graph.microsoft.com/Mail.Read"}, kGraph);
  REQUIRE(mail.has_value());
  CHECK(mail->resource == kGraph);
  CHECK(mail->names == Scopes{"Mail.Read", "Mail.Send"});

  const auto vault = ParseScopes({"https://vault.azure.net/.default"}, kGraph);
  REQUIRE(vault.has_value());
  CHECK(vault->resource == "https://vault.azure.net");
  CHECK(vault->is_default);
  CHECK(vault->names.empty());

  const auto api = ParseScopes({"api://5f1c/Files.Read"}, kGraph);
  REQUIRE(api.has_value());
  CHECK(api->resource == "api://5f1c");
}

TEST_CASE("Claims say whether they ask for continuous access, and an agent's never do") {
  for (const char* claims : {"", R"({"access_token":{"nbf":{"value":"1"}}})"}) {
    CHECK_FALSE(broker::AsksForContinuousAccess(claims));
    CHECK(broker::AsksForContinuousAccess(broker::WithContinuousAccess(claims)));
  }
  for (const char* other : {R"({"id_token":{"xms_cc":{}}})", R"({"access_token":["xms_cc"]})",
                            R"({"xms_cc":{"values":["cp1"]}})"}) {
    CHECK(broker::CanonicalClaims(other).has_value());
    CHECK_FALSE(broker::AsksForContinuousAccess(other));
  }
}

TEST_CASE("Claims have one spelling, and ask for nothing that outlives a token") {
  using broker::CanonicalClaims;
  for (const char* refused :
       {"[]", "1", "{", R"({"a":1,"a":2})", R"({"access_token":{"xms_cc":{"values":["cp1"]}}})",
        R"({"access_token":{"xms\u005fcc":{"values":["cp1"]}}})"}) {
    CAPTURE(refused);
    const auto claims = CanonicalClaims(refused);
    REQUIRE_FALSE(claims.has_value());
    CHECK(claims.error().reason == Reason::kInvalidClaims);
  }
  CHECK(broker::WithContinuousAccess("") == R"({"access_token":{"xms_cc":{"values":["cp1"]}}})");
  CHECK(broker::WithContinuousAccess(R"({"access_token":{"acrs":1},"id_token":{}})") ==
        R"({"access_token":{"acrs":1,"xms_cc":{"values":["cp1"]}},"id_token":{}})");
  CHECK(broker::WithContinuousAccess(R"({"access_token":null})") ==
        R"({"access_token":{"xms_cc":{"values":["cp1"]}}})");
  CHECK(CanonicalClaims("") == "");
  CHECK(CanonicalClaims(R"( {"b" : 1, "a":"\u0078"} )") == R"({"a":"x","b":1})");
}
