// Who signed in: only by a token for this application, of this tenant, now.
#include "broker/entra/id_token.h"

#include <doctest/doctest.h>

#include <functional>

#include "test/fakes/entra_answers.h"
#include "test/fakes/test_issuer.h"

using namespace entra_answers;
using broker::ErrorCode, broker::Secret;
using broker::entra::SignedIn;
using nlohmann::json;

namespace {

constexpr const char* kIssuer =
    "https://login.microsoftonline.com/8f0c1a52-0000-4000-8000-00000000abcd/v2.0";
constexpr const char* kGroup = "77777777-0000-4000-8000-00000000000A";
constexpr const char* kGroupLowered = "77777777-0000-4000-8000-00000000000a";

const TestIssuer& Issuer() {
  static const TestIssuer issuer("key-1");
  return issuer;
}

json Claims() {
  return {{"aud", kClient},   {"iss", kIssuer},   {"tid", kTenant},     {"oid", kUser},
          {"nbf", NowUnix()}, {"iat", NowUnix()}, {"groups", {kGroup}}, {"exp", NowUnix() + 3600}};
}

broker::Result<SignedIn> Verify(const std::string& token, const TestIssuer& issuer = Issuer()) {
  auto keys = broker::entra::ReadJsonWebKeys(Secret::CopyOf(issuer.Jwks()));
  REQUIRE(keys.has_value());
  return broker::entra::VerifyIdToken(Secret::CopyOf(token), keys->front(),
                                      {{kIssuer}, kTenant, kClient, FakeClock().WallNow()});
}

}  // namespace

TEST_CASE("An id_token says who signed in, and to which groups they belong") {
  json claims = Claims();
  claims["oid"] = "22222222-0000-4000-8000-00000000000B";
  claims["groups"].push_back("CONTOSO\\Leads");  // by name: nobody's
  const auto who = Verify(Issuer().Sign(claims));
  REQUIRE(who.has_value());
  CHECK(who->oid == "22222222-0000-4000-8000-00000000000b");
  CHECK(who->groups == std::vector<std::string>{kGroupLowered});
  CHECK_FALSE(who->groups_left_out);
  claims.erase("groups");
  CHECK(Verify(Issuer().Sign(claims))->groups.empty());
}

TEST_CASE("Where Entra leaves the groups out, that is known") {
  const std::function<void(json&)> rows[] = {
      [](json& c) { c["_claim_names"] = {{"groups", "src1"}}; },
      [](json& c) { c["_claim_names"] = "groups"; },
      [](json& c) { c["hasgroups"] = true; },
      [](json& c) { c["groups:src1"] = "https://graph.windows.net/x"; },
  };
  for (const auto& change : rows) {
    json claims = Claims();
    change(claims);
    CAPTURE(claims.dump());
    const auto who = Verify(Issuer().Sign(claims));
    REQUIRE(who.has_value());
    CHECK(who->groups_left_out);
  }
}

TEST_CASE("Every other token signs nobody in") {
  struct Row {
    const char* why;
    std::function<void(json&)> change;
  };
  const Row rows[] = {
      {"another issuer", [](json& c) { c["iss"] = "https://evil.example/"; }},
      {"no issuer", [](json& c) { c.erase("iss"); }},
      {"another tenant", [](json& c) { c["tid"] = kUser; }},
      {"no tenant", [](json& c) { c.erase("tid"); }},
      {"another application", [](json& c) { c["aud"] = kUser; }},
      {"the application's address", [](json& c) { c["aud"] = std::string("api://") + kClient; }},
      {"two applications", [](json& c) { c["aud"] = {kClient, kUser}; }},
      {"no application", [](json& c) { c.erase("aud"); }},
      {"over", [](json& c) { c["exp"] = NowUnix() - 300; }},
      {"without end", [](json& c) { c.erase("exp"); }},
      {"an end in words", [](json& c) { c["exp"] = "tomorrow"; }},
      {"an end beyond all time", [](json& c) { c["exp"] = INT64_MAX; }},
      {"not yet", [](json& c) { c["nbf"] = NowUnix() + 301; }},
      {"without a beginning", [](json& c) { c.erase("nbf"); }},
      {"of another request", [](json& c) { c["nonce"] = "n"; }},
      {"nobody", [](json& c) { c.erase("oid"); }},
      {"no object id", [](json& c) { c["oid"] = "jo@contoso.example"; }},
      {"groups that are no list", [](json& c) { c["groups"] = kGroup; }},
      {"a group that is no text", [](json& c) { c["groups"] = {1}; }},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.why));
    json claims = Claims();
    row.change(claims);
    CHECK_FALSE(Verify(Issuer().Sign(claims)).has_value());
  }
}

TEST_CASE("A signature of somebody else signs nobody in") {
  const TestIssuer other("key-1");
  CHECK(Verify(other.Sign(Claims())).error().code == ErrorCode::kDenied);
  const TestIssuer unknown("key-2");
  CHECK(Verify(unknown.Sign(Claims())).error().code == ErrorCode::kDenied);
  std::string token = Issuer().Sign(Claims());
  CHECK_FALSE(Verify(token.substr(0, token.rfind('.') + 1)).has_value());
  CHECK_FALSE(Verify(Jwt(Claims())).has_value());
  CHECK_FALSE(Verify("").has_value());
  const json none = {{"typ", "JWT"}, {"alg", "none"}, {"kid", "key-1"}};
  CHECK_FALSE(Verify(Issuer().Sign(Claims(), none)).has_value());
}

TEST_CASE("Of an answer the id_token alone is taken") {
  const auto take = [](const json& body) {
    return broker::entra::TakeIdToken(Secret::CopyOf(body.dump()));
  };
  const auto taken = take({{"id_token", "a.b.c"}, {"access_token", "x"}, {"refresh_token", "y"}});
  REQUIRE(taken.has_value());
  CHECK(taken->Expose(broker::Exit::kTest) == "a.b.c");
  CHECK_FALSE(take({{"access_token", "x"}}).has_value());
  CHECK_FALSE(take({{"id_token", 7}}).has_value());
  CHECK_FALSE(take(json::array()).has_value());
}
