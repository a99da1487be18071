#include "broker/minted_check.h"

#include <doctest/doctest.h>

#include <functional>

#include "test/fakes/entra_answers.h"

using namespace entra_answers;
using broker::AccessToken;
using broker::Reason;

namespace {

struct Case {
  AccessToken token;
  broker::policy::Config config;
  broker::policy::Credential credential;
  broker::TokenKey key{"aid-mail", kGraph, {"Mail.Read"}, "", kUser};
  std::vector<std::string> allowed{"Mail.Read"};
  std::chrono::seconds max_lifetime{0};
  bool continuous_access = false;

  Case() {
    config.tenant = {kTenant, "public", "https://login.microsoftonline.com", kGraph};
    credential.name = "aid-mail";
    credential.kind = "refresh-token";
    credential.client_id = kClient;
    credential.user = kUser;
    token.audience = kGraph;
    token.tenant = kTenant;
    token.app_id = kClient;
    token.user_oid = kUser;
    token.scopes = {"Mail.Read"};
    token.exp_unix = NowUnix() + 3600;
  }
  void OnBehalfOf() {
    credential.kind = "on-behalf-of";
    credential.user = "";
  }
  void AgentUser() {
    credential.kind = "agent-identity";
    credential.act = "agent-user";
  }
  void ForApplication() {
    credential.kind = "client-secret";
    credential.user = key.user = token.user_oid = "";
    token.app_only = true;
  }
};

struct Row {
  const char* what;
  std::function<void(Case&)> change;
  std::optional<Reason> refused = std::nullopt;
};

void Check(const Row& row) {
  CAPTURE(row.what);
  Case one;
  row.change(one);
  const auto refusal = broker::CheckMinted(one.token,
                                           {.config = one.config,
                                            .credential = one.credential,
                                            .asked = one.key,
                                            .allowed = one.allowed,
                                            .max_lifetime = one.max_lifetime,
                                            .continuous_access = one.continuous_access},
                                           FakeClock().WallNow());
  CHECK(refusal.has_value() == row.refused.has_value());
  if (refusal && row.refused) CHECK(refusal->reason == *row.refused);
}

constexpr const char* kOther = "99999999-0000-4000-8000-000000000009";

}  // namespace

TEST_CASE("What was minted as configured may be released") {
  const Row rows[] = {
      {"as configured", [](Case&) {}},
      {"audience with a slash", [](Case& c) { c.token.audience += '/'; }},
      {"audience is Graph's application id",
       [](Case& c) { c.token.audience = "00000003-0000-0000-c000-000000000000"; }},
      {"audience is the GUID of an api:// resource",
       [](Case& c) { c.token.audience = kOther, c.key.resource = std::string("api://") + kOther; }},
      {"a national cloud's Graph",
       [](Case& c) {
         c.config.tenant.graph = c.key.resource = c.token.audience = "https://graph.microsoft.us";
       }},
      {"OIDC scopes do not count",
       [](Case& c) { c.token.scopes = {"Mail.Read", "email", "openid", "profile"}; }},
      {"fewer than allowed", [](Case& c) { c.allowed = {"Mail.Read", "User.Read"}; }},
      {"GUIDs in capitals",
       [](Case& c) { c.config.tenant.id = "8F0C1A52-0000-4000-8000-00000000ABCD"; }},
      {"a resolved domain",
       [](Case& c) { c.config.tenant.id = c.token.tenant_domain = "contoso.com"; }},
      {"an application's token for an application", [](Case& c) { c.ForApplication(); }},
      {"the agent's own user", [](Case& c) { c.AgentUser(); }},
      {"the user who was asserted", [](Case& c) { c.OnBehalfOf(); }},
      {"a managed identity",
       [](Case& c) { c.ForApplication(), c.credential.kind = "managed-identity"; }},
      {"an autonomous agent",
       [](Case& c) { c.ForApplication(), c.credential.kind = "agent-identity"; }},
      {".default asked for", [](Case& c) { c.key.scopes = {".default"}; }},
      {"as long as the rule allows",
       [](Case& c) {
         c.max_lifetime = std::chrono::hours(1);
         c.token.expires_at = c.token.minted_at + std::chrono::hours(1);
       }},
      {"28 hours that were asked for",
       [](Case& c) { c.continuous_access = true, c.token.exp_unix = NowUnix() + 28 * 3600; }},
      {"a whole day", [](Case& c) { c.token.exp_unix = NowUnix() + 24 * 3600; }},
  };
  for (const Row& row : rows) Check(row);
}

TEST_CASE("What differs from the configuration is never released") {
  using enum Reason;
  const Row rows[] = {
      {"another audience", [](Case& c) { c.token.audience = "https://vault.azure.net"; },
       kMintedMismatch},
      {"no audience", [](Case& c) { c.token.audience = ""; }, kMintedMismatch},
      {"an audience that only begins alike", [](Case& c) { c.token.audience += ".evil.example"; },
       kMintedMismatch},
      {"two slashes", [](Case& c) { c.token.audience += "//"; }, kMintedMismatch},
      {"Graph's id for another resource",
       [](Case& c) {
         c.key.resource = "https://vault.azure.net";
         c.token.audience = "00000003-0000-0000-c000-000000000000";
       },
       kMintedMismatch},
      {"Azure AD Graph", [](Case& c) { c.token.audience = "00000002-0000-0000-c000-000000000000"; },
       kMintedMismatch},
      {"another tenant", [](Case& c) { c.token.tenant = kOther; }, kMintedMismatch},
      {"no tenant", [](Case& c) { c.token.tenant = ""; }, kMintedMismatch},
      {"a domain that was never resolved", [](Case& c) { c.config.tenant.id = "contoso.com"; },
       kMintedMismatch},
      {"a domain resolved for another configuration",
       [](Case& c) { c.config.tenant.id = "contoso.com", c.token.tenant_domain = "fabrikam.com"; },
       kMintedMismatch},
      {"a configuration without a tenant", [](Case& c) { c.config.tenant.id = ""; },
       kMintedMismatch},
      {"another application", [](Case& c) { c.token.app_id = kOther; }, kMintedMismatch},
      {"no application", [](Case& c) { c.token.app_id = ""; }, kMintedMismatch},
      {"another user", [](Case& c) { c.token.user_oid = kOther; }, kMintedMismatch},
      {"no user", [](Case& c) { c.token.user_oid = ""; }, kMintedMismatch},
      {"no user configured", [](Case& c) { c.credential.user = c.token.user_oid = ""; },
       kMintedMismatch},
      {"a user other than asked for", [](Case& c) { c.key.user = kOther; }, kMintedMismatch},
      {"an application's token from a user's credential", [](Case& c) { c.token.app_only = true; },
       kMintedMismatch},
      {"a user's token from an application's credential",
       [](Case& c) { c.ForApplication(), c.token.app_only = false; }, kMintedMismatch},
      {"an agent's token that is its blueprint's",
       [](Case& c) { c.AgentUser(), c.token.app_id = kOther; }, kMintedMismatch},
      {"an agent's user who is another", [](Case& c) { c.AgentUser(), c.token.user_oid = kOther; },
       kMintedMismatch},
      {"an agent itself instead of its user",
       [](Case& c) { c.AgentUser(), c.token.app_only = true; }, kMintedMismatch},
      {"an agent's user instead of itself",
       [](Case& c) { c.AgentUser(), c.credential.act = "application"; }, kMintedMismatch},
      {"on behalf of another user", [](Case& c) { c.OnBehalfOf(), c.token.user_oid = kOther; },
       kMintedMismatch},
      {"on behalf of nobody", [](Case& c) { c.OnBehalfOf(), c.key.user = ""; }, kMintedMismatch},
      {"on behalf of nobody, for nobody",
       [](Case& c) { c.OnBehalfOf(), c.key.user = c.token.user_oid = ""; }, kMintedMismatch},
      {"an application on behalf of a user",
       [](Case& c) { c.OnBehalfOf(), c.token.app_only = true; }, kMintedMismatch},
      {"expired", [](Case& c) { c.token.exp_unix = NowUnix(); }, kMintedMismatch},
      {"no expiry", [](Case& c) { c.token.exp_unix = 0; }, kMintedMismatch},
      {"28 hours without having asked for it",
       [](Case& c) { c.token.exp_unix = NowUnix() + 28 * 3600; }, kMintedMismatch},
      {"longer than the rule allows",
       [](Case& c) {
         c.max_lifetime = std::chrono::hours(1);
         c.token.expires_at = c.token.minted_at + std::chrono::seconds(3601);
       },
       kMintedMismatch},
      {"an answer that says less than the token does",
       [](Case& c) {
         c.max_lifetime = std::chrono::hours(1);
         c.token.expires_at = c.token.minted_at + std::chrono::minutes(10);
         c.token.exp_unix = NowUnix() + 3901;
       },
       kMintedMismatch},
      {"30 hours where 28 were asked for",
       [](Case& c) { c.continuous_access = true, c.token.exp_unix = NowUnix() + 30 * 3600; },
       kMintedMismatch},
      {"a week", [](Case& c) { c.token.exp_unix = NowUnix() + 7 * 24 * 3600; }, kMintedMismatch},
      {"a scope more", [](Case& c) { c.token.scopes = {"Mail.Read", "Mail.Send"}; }, kOverScoped},
      {"a scope of another case", [](Case& c) { c.token.scopes = {"mail.read"}; }, kOverScoped},
      {"a role more",
       [](Case& c) {
         c.ForApplication(), c.token.scopes = {"Directory.ReadWrite.All", "Mail.Read"};
       },
       kOverScoped},
      {"nothing allowed", [](Case& c) { c.allowed = {}; }, kOverScoped},
      {"a scope of another resource",
       [](Case& c) { c.token.scopes = {"Mail.Read", "https://vault.azure.net/Mail.Read"}; },
       kOverScoped},
      {"without what was asked for",
       [](Case& c) { c.token.scopes = {"User.Read"}, c.allowed.push_back("User.Read"); },
       kConsentRequired},
      {"no scope at all", [](Case& c) { c.token.scopes = {}, c.key.scopes = {".default"}; },
       kConsentRequired},
  };
  for (const Row& row : rows) Check(row);
}

TEST_CASE("What a token can do too much is named, as far as that are names") {
  Case one;
  one.token.scopes = {"Mail.Read", "Mail.Send", "x y", std::string(100, 'a')};
  for (int i = 0; i < 20; ++i) one.token.scopes.push_back("Z" + std::to_string(i));
  const auto refusal = broker::CheckMinted(one.token,
                                           {.config = one.config,
                                            .credential = one.credential,
                                            .asked = one.key,
                                            .allowed = one.allowed},
                                           FakeClock().WallNow());
  REQUIRE(refusal.has_value());
  CHECK(refusal->hint.empty());
  CHECK(refusal->detail ==
        "can also do: Mail.Send (no permission's name) (no permission's name) Z0 Z1 Z2 Z3 Z4 Z5 Z6 "
        "and 13 more");
}

TEST_CASE("purser shows a vault a token of its own identity in its own tenant, and no other") {
  constexpr const char* kVault = "https://vault.azure.net";
  const auto check = [&](const std::function<void(Case&)>& change) {
    Case one;
    one.ForApplication();
    one.token.audience = kVault;
    one.token.scopes = {};
    change(one);
    const auto wrong =
        broker::CheckForVault(one.token, one.config, one.credential, kVault, FakeClock().WallNow());
    CHECK((!wrong || wrong->reason == Reason::kMintedMismatch));
    return !wrong;
  };
  CHECK(check([](Case&) {}));
  CHECK(check([](Case& c) { c.token.audience += '/'; }));
  CHECK(check([](Case& c) { c.token.audience = "cfa8b339-82a2-471a-a3c9-0fc0be7a4093"; }));
  CHECK(check([](Case& c) { c.credential.client_id = "", c.token.app_id = kOther; }));
  CHECK(check([](Case& c) { c.config.tenant.id = c.token.tenant_domain = "contoso.com"; }));

  CHECK_FALSE(check([](Case& c) { c.token.audience = kGraph; }));
  CHECK_FALSE(check([](Case& c) { c.token.audience = "https://vault.azure.net.evil.example"; }));
  CHECK_FALSE(check([](Case& c) { c.token.audience = ""; }));
  CHECK_FALSE(check([](Case& c) { c.token.tenant = kOther; }));
  CHECK_FALSE(check([](Case& c) { c.config.tenant.id = "contoso.com"; }));
  CHECK_FALSE(check([](Case& c) { c.token.app_id = kOther; }));
  CHECK_FALSE(check([](Case& c) { c.token.app_id = ""; }));
  CHECK_FALSE(check([](Case& c) { c.token.app_only = false; }));
  CHECK_FALSE(check([](Case& c) { c.token.exp_unix = NowUnix(); }));
}
