#include "broker/entra/access_token_claims.h"

#include <doctest/doctest.h>

#include <functional>

#include "broker/base/base64.h"
#include "test/fakes/entra_answers.h"

using namespace entra_answers;
using broker::Base64UrlEncode;
using broker::Secret;
using broker::entra::ReadAccessTokenClaims;
using nlohmann::json;

TEST_CASE("A user's token says who may do what") {
  const auto got = ReadAccessTokenClaims(Secret::CopyOf(Jwt(UserClaims())));
  REQUIRE(got.has_value());
  CHECK(got->aud == kGraph);
  CHECK(got->tid == kTenant);
  CHECK(got->app_id == kClient);
  CHECK(got->oid == kUser);
  CHECK(got->uti == "uti-1");
  CHECK_FALSE(got->app_only);
  CHECK(got->scopes == std::vector<std::string>{"Mail.Read"});
  CHECK(got->exp == NowUnix() + 3600);
}

TEST_CASE("Both versions of the claims are understood") {
  auto v2 = UserClaims();
  v2.erase("appid");
  v2.erase("idtyp");
  v2["azp"] = kClient;
  v2["scp"] = "User.Read Mail.Read openid";
  v2["xms_st"] = {{"sub", 1.5}};
  const auto user = ReadAccessTokenClaims(Secret::CopyOf(Jwt(v2)));
  REQUIRE(user.has_value());
  CHECK(user->app_id == kClient);
  CHECK(user->scopes == std::vector<std::string>{"Mail.Read", "User.Read"});

  auto app = AppClaims();
  app.erase("idtyp");
  const auto application = ReadAccessTokenClaims(Secret::CopyOf(Jwt(app)));
  REQUIRE(application.has_value());
  CHECK(application->app_only);
}

TEST_CASE("A user's roles count like scopes") {
  auto claims = UserClaims();
  claims["roles"] = {"Task.Admin", "Task.Admin"};
  const auto got = ReadAccessTokenClaims(Secret::CopyOf(Jwt(claims)));
  REQUIRE(got.has_value());
  CHECK_FALSE(got->app_only);
  CHECK(got->scopes == std::vector<std::string>{"Mail.Read", "Task.Admin"});
}

TEST_CASE("A token whose claims cannot be trusted to mean one thing is refused") {
  struct Row {
    const char* what;
    std::function<void(json&)> change;
  };
  const Row rows[] = {
      {"no audience", [](json& c) { c.erase("aud"); }},
      {"several audiences", [](json& c) { c["aud"] = {kGraph, "x"}; }},
      {"empty audience", [](json& c) { c["aud"] = ""; }},
      {"no tenant", [](json& c) { c.erase("tid"); }},
      {"no application", [](json& c) { c.erase("appid"); }},
      {"two applications", [](json& c) { c["azp"] = kUser; }},
      {"no expiry", [](json& c) { c.erase("exp"); }},
      {"expiry as text", [](json& c) { c["exp"] = "1795003600"; }},
      {"expiry as a fraction", [](json& c) { c["exp"] = 1795003600.5; }},
      {"expiry before 1970", [](json& c) { c["exp"] = -1; }},
      {"expiry beyond all years", [](json& c) { c["exp"] = UINT64_MAX; }},
      // 2^64 ns later, what the clock would take for an hour
      {"expiry beyond the clock", [](json& c) { c["exp"] = NowUnix() + 3600 + 18'446'744'074; }},
      {"nbf as text", [](json& c) { c["nbf"] = "x"; }},
      {"scp as a list", [](json& c) { c["scp"] = {"Mail.Read"}; }},
      {"roles as text", [](json& c) { c["roles"] = "Mail.Read"; }},
      {"a role that is no text", [](json& c) { c["roles"] = {1}; }},
      {"an unknown idtyp", [](json& c) { c["idtyp"] = "device"; }},
      {"an application with a user's scopes", [](json& c) { c["idtyp"] = "app"; }},
      {"NUL in the tenant", [](json& c) { c["tid"] = std::string(kTenant) + '\0'; }},
      {"oid as a number", [](json& c) { c["oid"] = 5; }},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    auto claims = UserClaims();
    row.change(claims);
    const auto got = ReadAccessTokenClaims(Secret::CopyOf(Jwt(claims)));
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().code == broker::ErrorCode::kCorrupt);
    CHECK(got.error().detail.find(kUser) == std::string::npos);
  }
}

TEST_CASE("A token that is not a signed JWT is refused") {
  const std::string good = Jwt(UserClaims());
  const std::string payload = Base64UrlEncode(UserClaims().dump());
  const std::string rows[] = {
      "",
      ".",
      "..",
      "opaque",
      "EwB4A8l6BAAU",
      payload,
      "a." + payload + ".c",
      good + ".more.parts",
      good.substr(0, good.find('.') + 1) + "=." + "x",
      Base64UrlEncode("[]") + "." + payload + ".s",
      Base64UrlEncode("{}") + "." + Base64UrlEncode("[]") + ".s",
      Base64UrlEncode("{}") + "..",
      good.substr(0, good.size() / 2),
  };
  for (const std::string& token : rows) {
    CAPTURE(token);
    CHECK_FALSE(ReadAccessTokenClaims(Secret::CopyOf(token)).has_value());
  }
}
