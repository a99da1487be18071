#include <doctest/doctest.h>

#include "broker/broker.h"
#include "test/broker/at_once.h"
#include "test/fakes/entra_answers.h"
#include "test/fakes/fake_mint_ports.h"
#include "test/fakes/test_issuer.h"
#include "token_cache/access_token_cache.h"

using namespace entra_answers;
using broker::Reason, broker::Secret;

namespace {

constexpr const char* kOtherUser = "22222222-0000-4000-8000-00000000000b";

const TestIssuer& Issuer() {
  static const TestIssuer issuer("key-1");
  return issuer;
}

broker::policy::Config OneAgent() {
  broker::policy::Config config;
  config.tenant = {kTenant, "public", "https://login.microsoftonline.com", kGraph, ""};
  config.credentials["app"] = {.name = "app", .kind = "client-secret", .client_id = kClient};
  config.credentials["own"] = {.name = "own", .kind = "client-secret", .client_id = kClient};
  config.credentials["obo"] = {.name = "obo",
                               .kind = "on-behalf-of",
                               .client_id = kClient,
                               .proof = "app",
                               .scopes = {"Mail.Read"}};
  broker::policy::Agent& agent = config.agents["helpdesk"];
  agent.name = "helpdesk";
  const auto rule = [](const char* name, const char* scope, const char* credential) {
    return broker::policy::Rule{.name = name,
                                .scopes = {scope},
                                .credential = credential,
                                .decision = "log",
                                .deliver = "token"};
  };
  agent.rules = {rule("read", "Mail.Read", "obo"), rule("users", "User.Read.All", "own")};
  return config;
}

/// The whole broker with the real cache; Entra answers for whichever user it is shown.
struct Setup : FakeMintPorts {
  Setup() {
    const Secret secret = Secret::CopyOf("app-secret");
    REQUIRE(vault.store.Put({"app", broker::SecretKind::kClientSecret}, secret, 0).has_value());
    http.respond = [this](const broker::HttpRequest& request) {
      if (request.method == "GET") return FakeHttp::Answer(200, Issuer().Jwks());
      ++minted;
      auto claims = UserClaims();
      claims["oid"] = minted_for;
      return FakeHttp::Answer(200, TokenBody(claims, {}, "Mail.Read"));
    };
  }
  static std::string Assertion(const std::string& user, const std::string& audience = kClient) {
    auto claims = UserClaims();
    claims["aud"] = audience;
    claims["oid"] = user;
    claims["iss"] = "https://sts.windows.net/" + std::string(kTenant) + "/";
    return Issuer().Sign(claims);
  }
  std::expected<broker::IssuedToken, broker::Denied> Ask(const std::string& scope,
                                                         const std::string& assertion) {
    broker::TokenRequest request;
    request.scopes = {scope};
    if (!assertion.empty()) {
      request.user_assertion = std::make_shared<const Secret>(Secret::CopyOf(assertion));
    }
    return AskAtOnce(broker, caller, request, "r");
  }
  Reason Refused(const std::string& scope, const std::string& assertion) {
    const auto got = Ask(scope, assertion);
    REQUIRE_FALSE(got.has_value());
    return got.error().refusal.reason;
  }

  int minted = 0;
  std::string minted_for = kUser;
  token_cache::AccessTokenCache cache{clock};
  broker::Minter minter{ports()};
  broker::Broker broker{{cache, minter, ledger, clock, [] { return true; }, RunAtOnce},
                        std::make_shared<const broker::policy::Config>(OneAgent())};
  broker::Caller caller{"helpdesk", {.uid = 1000, .gid = 1000}, {}};
};

}  // namespace

TEST_CASE("Each user has a token of their own, and the ledger the user who was proven") {
  Setup setup;
  REQUIRE(setup.Ask("Mail.Read", Setup::Assertion(kUser)).has_value());
  CHECK(setup.minted == 1);
  CHECK(setup.ledger.entries.front().user_oid == kUser);  // of the secret that was read for it
  CHECK(setup.ledger.entries.back().user_oid == kUser);
  REQUIRE(setup.Ask("Mail.Read", Setup::Assertion(kUser)).has_value());
  CHECK(setup.minted == 1);  // kept for this user
  setup.minted_for = kOtherUser;
  const auto other = setup.Ask("Mail.Read", Setup::Assertion(kOtherUser));
  REQUIRE(other.has_value());
  CHECK(setup.minted == 2);
  CHECK(other->token->user_oid == kOtherUser);
  CHECK(setup.ledger.entries.back().user_oid == kOtherUser);
}

TEST_CASE("A kept token is nobody's without a valid assertion of its user") {
  Setup setup;
  REQUIRE(setup.Ask("Mail.Read", Setup::Assertion(kUser)).has_value());
  const size_t written = setup.ledger.entries.size();
  CHECK(setup.Refused("Mail.Read", "") == Reason::kMissingField);
  CHECK(setup.Refused("Mail.Read", "opaque") == Reason::kInvalidUserAssertion);
  CHECK(setup.Refused("Mail.Read", Setup::Assertion(kUser, kGraph)) ==
        Reason::kInvalidUserAssertion);
  CHECK(setup.Refused("Mail.Read", TestIssuer("key-1").Sign(UserClaims())) ==
        Reason::kInvalidUserAssertion);
  setup.clock.Advance(std::chrono::hours(2));
  CHECK(setup.Refused("Mail.Read", Setup::Assertion(kUser)) == Reason::kInvalidUserAssertion);
  CHECK(setup.minted == 1);
  REQUIRE(setup.ledger.entries.size() == written + 5);
  for (size_t i = written; i < setup.ledger.entries.size(); ++i) {
    CHECK(setup.ledger.entries[i].user_oid.empty());  // nobody was proven
    CHECK(setup.ledger.entries[i].type == broker::ledger::EntryType::kTokenDenied);
  }
}

TEST_CASE("A user's token that Entra refuses has no secret read anew") {
  Setup setup;
  REQUIRE(setup.Ask("Mail.Read", Setup::Assertion(kUser)).has_value());  // the keys are known
  setup.http.respond = [](const broker::HttpRequest&) {
    return FakeHttp::Answer(400, ErrorBody("invalid_grant", 50173));
  };
  const size_t asked = setup.http.seen.size();
  const size_t written = setup.ledger.entries.size();
  CHECK(setup.Refused("Mail.Read", Setup::Assertion(kOtherUser)) == Reason::kInvalidUserAssertion);
  CHECK(setup.http.seen.size() == asked + 1);
  CHECK(setup.vault.invalidated.empty());  // a copy that is kept serves the other users on
  // Both accesses, the failure and the refusal.
  CHECK(setup.ledger.entries.size() == written + 4);
}

TEST_CASE("A token of another user than the one who was proven is never released") {
  Setup setup;
  setup.minted_for = kOtherUser;
  CHECK(setup.Refused("Mail.Read", Setup::Assertion(kUser)) == Reason::kMintedMismatch);
  CHECK(setup.ledger.entries.back().user_oid == kUser);
}

TEST_CASE("A user's token where nobody acts for users is an error, not ignored") {
  Setup setup;
  CHECK(setup.Refused("User.Read.All", Setup::Assertion(kUser)) == Reason::kUnknownField);
  CHECK(setup.http.seen.empty());
}

TEST_CASE("What only the user can mend is not asked of an operator") {
  Setup setup;
  const auto good = setup.http.respond;
  REQUIRE(setup.Ask("Mail.Read", Setup::Assertion(kUser)).has_value());  // the keys are known
  const auto refused = [&](const nlohmann::json& body) {
    setup.http.respond = [&](const broker::HttpRequest&) {
      return FakeHttp::Answer(400, body.dump());
    };
    const auto got = setup.Ask("Mail.Read", Setup::Assertion(kOtherUser));
    REQUIRE_FALSE(got.has_value());
    return got.error().refusal;
  };
  const auto dead = refused({{"error", "invalid_grant"}, {"error_codes", {50013}}});
  CHECK(dead.reason == Reason::kInvalidUserAssertion);
  const auto sign_in = refused({{"error", "interaction_required"}, {"claims", R"({"a":{}})"}});
  CHECK(sign_in.reason == Reason::kInteractionRequired);
  CHECK(sign_in.hint.find("the user who signs in") != std::string::npos);
  CHECK(sign_in.claims == R"({"a":{}})");
  setup.http.respond = good;
  setup.minted_for = kOtherUser;
  CHECK(setup.Ask("Mail.Read", Setup::Assertion(kOtherUser)).has_value());
}

TEST_CASE("One user's trouble is not the others'") {
  Setup setup;
  REQUIRE(setup.Ask("Mail.Read", Setup::Assertion(kUser)).has_value());
  const auto good = setup.http.respond;
  setup.http.respond = [&](const broker::HttpRequest&) {
    return FakeHttp::Answer(400, ErrorBody("invalid_grant", 50057));
  };
  CHECK(setup.Refused("Mail.Read", Setup::Assertion(kOtherUser)) == Reason::kPrincipalDisabled);
  setup.http.respond = good;
  setup.minted_for = "22222222-0000-4000-8000-00000000000c";
  CHECK(setup.Ask("Mail.Read", Setup::Assertion(setup.minted_for)).has_value());
}
