#include "sidecar/broker/vault_identity.h"

#include <doctest/doctest.h>

#include "broker/policy/kinds.h"
#include "test/fakes/fake_clock.h"

using broker::Exit, broker::Reason, broker::VaultAuth;
using sidecar::broker_role::IdentityOf, sidecar::broker_role::VaultIdentity;
using namespace std::chrono_literals;

namespace {

struct Fixture {
  FakeClock clock;
  int mints = 0;
  std::optional<Reason> refuse_with;
  bool revoked = false;
  VaultIdentity identity{
      {.name = "vault.corp"},
      clock,
      [this](const auto& credential, const auto& key) {
        ++mints;
        CHECK(credential.name == "vault.corp");
        CHECK(key.scopes == std::vector<std::string>{".default"});
        if (refuse_with) return broker::MintResult(broker::Refuse(*refuse_with));
        auto token = std::make_shared<broker::AccessToken>();
        token->value = broker::Secret::CopyOf(key.resource + " " + std::to_string(mints));
        token->expires_at = clock.Now() + 60min;
        token->tenant = "t" + std::to_string(mints);
        return broker::MintResult(std::move(token));
      },
      [this](const auto& credential) { return revoked && credential.name == "vault.corp"; }};

  std::string Token(const std::string& resource, VaultAuth::Freshness freshness) {
    const auto token = identity.Token(resource, freshness);
    REQUIRE(token.has_value());
    return std::string(token->Expose(Exit::kTest));
  }
};

constexpr auto kAny = VaultAuth::Freshness::kAny;
constexpr auto kNew = VaultAuth::Freshness::kNew;

}  // namespace

TEST_CASE("A token for the vault is kept while it is good for an exchange") {
  Fixture f;
  CHECK(f.Token("r", kAny) == "r 1");
  f.clock.Advance(58min);
  CHECK(f.Token("r", kAny) == "r 1");
  f.clock.Advance(1min);
  CHECK(f.Token("r", kAny) == "r 2");
  CHECK(f.Token("r", kNew) == "r 3");
  CHECK(f.Token("other", kAny) == "other 4");
}

TEST_CASE("What was kept for an identity that is revoked opens the vault no longer") {
  Fixture f;
  CHECK(f.Token("r", kAny) == "r 1");
  f.revoked = true;
  f.refuse_with = Reason::kCredentialRevoked;  // as the minter does
  CHECK_FALSE(f.identity.Token("r", kAny).has_value());
  f.revoked = false;
  f.refuse_with.reset();
  CHECK(f.Token("r", kAny) == "r 3");
}

TEST_CASE("Whose tenant purser is in is what its last token says") {
  Fixture f;
  CHECK(f.identity.Tenant().empty());
  f.Token("r", kAny);
  CHECK(f.identity.Tenant() == "t1");
  f.Token("r", kNew);
  CHECK(f.identity.Tenant() == "t2");
}

TEST_CASE("A refused mint is an error that says which identity and why, and is not kept") {
  Fixture f;
  struct Row {
    Reason reason;
    broker::ErrorCode code;
  };
  for (const Row& row : {Row{Reason::kUpstreamUnavailable, broker::ErrorCode::kUnavailable},
                         Row{Reason::kUpstreamThrottled, broker::ErrorCode::kUnavailable},
                         Row{Reason::kCredentialRejected, broker::ErrorCode::kDenied},
                         Row{Reason::kConsentRequired, broker::ErrorCode::kDenied}}) {
    f.refuse_with = row.reason;
    const auto token = f.identity.Token("r", kAny);
    REQUIRE_FALSE(token.has_value());
    CHECK(token.error().code == row.code);
    CHECK(token.error().detail.find("vault.corp") != std::string::npos);
    CHECK(token.error().detail.find(broker::Describe(row.reason).name) != std::string::npos);
  }
  f.refuse_with.reset();
  CHECK(f.Token("r", kAny) == "r 5");
}

TEST_CASE("Who purser is for a vault follows from its auth") {
  broker::policy::Config config;
  config.credentials["mi"] = {.name = "mi", .kind = "managed-identity", .client_id = "m"};
  const auto named = IdentityOf(config, {.name = "v", .auth = "credential:mi"});
  CHECK(named.name == "mi");
  const auto workload = IdentityOf(
      config, {.name = "v", .auth = "workload-identity", .client_id = "w", .token_file = "/token"});
  CHECK(workload.kind == "federated");
  CHECK(workload.client_id == "w");
  CHECK(workload.token_file == "/token");
  const auto machine = IdentityOf(config, {.name = "v", .auth = "managed-identity"});
  CHECK(machine.kind == "managed-identity");
  CHECK(machine.endpoint == broker::policy::kImdsEndpoint);
  CHECK_FALSE(machine.user_assigned);
  CHECK(IdentityOf(config, {.name = "v", .auth = "managed-identity", .client_id = "u"})
            .user_assigned);
}
