// Minter: agents that a blueprint proves, and users on whose behalf somebody asks.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "test/broker/credential_kinds_setup.h"

using namespace credential_kinds;
using namespace entra_answers;
using broker::ErrorCode, broker::Reason, broker::Secret, broker::SecretKind;
using broker::policy::Credential;

namespace {

constexpr const char* kAgentId = "55555555-0000-4000-8000-000000000005";

/// A 200 of the token endpoint whose token is no JWT: one that only Entra reads.
std::string Opaque(const std::string& token) {
  return nlohmann::json{{"token_type", "Bearer"}, {"expires_in", 3599}, {"access_token", token}}
      .dump();
}
nlohmann::json AgentClaims() {
  auto claims = AppClaims();
  claims["appid"] = kAgentId;
  return claims;
}
Credential Agent(const std::string& act) {
  return {.name = "agent",
          .kind = "agent-identity",
          .client_id = kAgentId,
          .user = act == "agent-user" ? kUser : "",
          .proof = "app",
          .act = act};
}

}  // namespace

TEST_CASE("An autonomous agent is proved by its blueprint, and asks for itself") {
  Setup setup;
  setup.Add(Agent("application"));
  setup.http.Push(200, Opaque("T1"));
  setup.http.Push(200, TokenBody(AgentClaims()));
  const auto token = setup.Mint("agent");
  REQUIRE(token.has_value());
  CHECK((*token)->app_id == kAgentId);
  CHECK(Holds(setup.Body(0), "client_id=" + std::string(kClient) + "&client_secret=app-secret"));
  CHECK(Holds(setup.Body(0), "&fmi_path=" + std::string(kAgentId) +
                                 "&scope=api%3A%2F%2FAzureADTokenExchange%2F.default"));
  CHECK(Holds(setup.Body(1), "grant_type=client_credentials&client_id=" + std::string(kAgentId)));
  CHECK(Holds(setup.Body(1),
              std::string(kAssertion) + "T1&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"));
  CHECK(setup.Accessed() == "agent app");
  // Nothing of the first leg is kept: the blueprint's secret may have been revoked since.
  setup.http.Push(200, Opaque("T1-again"));
  setup.http.Push(200, TokenBody(AgentClaims()));
  REQUIRE(setup.Mint("agent").has_value());
  CHECK(Holds(setup.Body(3), std::string(kAssertion) + "T1-again&"));
}

TEST_CASE("An agent's own user account takes three legs, and on behalf of a user two") {
  Setup setup;
  setup.Add(Agent("agent-user"));
  auto claims = UserClaims();
  claims["appid"] = kAgentId;
  setup.http.Push(200, Opaque("T1"));
  setup.http.Push(200, Opaque("T2"));
  setup.http.Push(200, TokenBody(claims));
  const auto own = setup.Mint("agent");
  REQUIRE(own.has_value());
  CHECK((*own)->user_oid == kUser);
  CHECK(Holds(setup.Body(1), "grant_type=client_credentials&client_id=" + std::string(kAgentId)));
  CHECK(Holds(setup.Body(1), "T1&scope=api%3A%2F%2FAzureADTokenExchange%2F.default"));
  CHECK(Holds(setup.Body(2), "grant_type=user_fic&client_id=" + std::string(kAgentId)));
  CHECK(Holds(setup.Body(2),
              "T1&user_federated_identity_credential=T2&user_id=" + std::string(kUser)));

  setup.Add(Agent("on-behalf-of"));
  setup.http.Push(200, Opaque("T1"));
  setup.http.Push(200, TokenBody(claims));
  const Secret user = Secret::CopyOf("Tc");
  const auto obo = setup.Mint("agent", &user);
  REQUIRE(obo.has_value());
  CHECK(Holds(setup.Body(4), "T1&assertion=Tc&requested_token_use=on_behalf_of&scope="));
  // There is no one to renew it with.
  CHECK((*obo)->refresh_at == (*obo)->expires_at);
  CHECK(ReasonOf(setup.Mint("agent")) == Reason::kMissingField);
}

TEST_CASE("An ordinary application on behalf of a user uses its own proof") {
  Setup setup;
  setup.Add({.name = "obo", .kind = "on-behalf-of", .client_id = kClient, .proof = "app"});
  setup.http.Push(200, TokenBody(UserClaims(), "uninvited", "Mail.Read"));
  const Secret user = Secret::CopyOf("Tc");
  REQUIRE(setup.Mint("obo", &user).has_value());
  CHECK(Holds(setup.Body(0), "&client_secret=app-secret&assertion=Tc&"));
  CHECK_FALSE(Holds(setup.Body(0), "offline_access"));
  CHECK(setup.Accessed() == "obo app");
  setup.ledger.fail_with = ErrorCode::kUnavailable;
  CHECK(ReasonOf(setup.Mint("obo", &user)) == Reason::kLedgerUnavailable);
  CHECK(setup.http.seen.size() == 1);
}

TEST_CASE("A first leg that fails is the agent's failure, with what Entra said of it") {
  Setup setup;
  setup.Add(Agent("application"));
  setup.http.Push(400, ErrorBody("invalid_client", 700211));
  const auto refused = setup.Mint("agent");
  CHECK(ReasonOf(refused) == Reason::kCredentialRejected);
  CHECK(Holds(refused.error().detail, "AADSTS700211"));
  CHECK(setup.http.seen.size() == 1);
  CHECK(ReasonOf(setup.Mint("agent")) == Reason::kCredentialRejected);
  CHECK(setup.http.seen.size() == 1);  // not asked again at once
  const auto troubles = setup.minter.Degraded();
  REQUIRE(troubles.size() == 1);
  CHECK(troubles[0].what == "credential agent: credential_rejected since 2026-11-18T11:06:40Z");
  CHECK(Holds(troubles[0].detail, "AADSTS700211"));
}

TEST_CASE("A blueprint's secret that was replaced meanwhile is used at once") {
  Setup setup;
  setup.Add(Agent("application"));
  setup.http.respond =
      [&](const broker::HttpRequest& request) -> broker::Result<broker::HttpResponse> {
    const auto body = request.body.Expose(broker::Exit::kTest);
    if (body.find("fmi_path") == body.npos) return FakeHttp::Answer(200, TokenBody(AgentClaims()));
    if (body.find("newer") != body.npos) return FakeHttp::Answer(200, Opaque("T1"));
    const Secret newer = Secret::CopyOf("newer");
    CHECK(setup.vault.store.Put({"app", SecretKind::kClientSecret}, newer, 1).has_value());
    return FakeHttp::Answer(401, ErrorBody("invalid_client", 7000215));
  };
  CHECK(setup.Mint("agent").has_value());
  CHECK(setup.http.seen.size() == 3);
  CHECK(setup.Accessed() == "agent app agent app");
}
