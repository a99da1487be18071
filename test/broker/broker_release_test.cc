// Broker: which token is released to whom, and which is kept for the next.
#include <doctest/doctest.h>

#include <functional>

#include "test/broker/broker_fixture.h"

using namespace broker_test;
using namespace std::chrono_literals;
using broker::Reason;
using broker::ledger::EntryType;

TEST_CASE("A token that an agent's claims made another than configured takes no other away") {
  Fixture f;
  auto token = f.Token();
  token->exp_unix += 100 * 3600;
  f.cache.next = token;
  auto request = Fixture::Asking({"Mail.Read"});
  request.claims = R"({"access_token":{"nonce":{"value":"x"}}})";
  const auto issued = f.Ask(request, "r");
  REQUIRE_FALSE(issued.has_value());
  CHECK(issued.error().refusal.reason == Reason::kMintedMismatch);
  CHECK(f.cache.evicted.empty());
  REQUIRE(f.cache.dropped.size() == 2);  // as refused, and as minted: the one of its claims alone
  for (const auto& key : f.cache.dropped) CHECK(key == f.cache.keys.back());
  CHECK_FALSE(f.cache.keys.back().claims.empty());
}

TEST_CASE("What was minted is checked before it is released (promise 6)") {
  // clang-format off
  struct Row { const char* why; std::function<void(broker::AccessToken&)> spoil; Reason want; };
  const Row rows[] = {
      {"one scope more",        [](auto& t) { t.scopes = {"Mail.Read", "Mail.Send"}; },      Reason::kOverScoped},
      {"another audience",      [](auto& t) { t.audience = "https://vault.azure.net"; },     Reason::kMintedMismatch},
      {"another tenant",        [](auto& t) { t.tenant = kUser; },                           Reason::kMintedMismatch},
      {"another application",   [](auto& t) { t.app_id = kUser; },                           Reason::kMintedMismatch},
      {"another user",          [](auto& t) { t.user_oid = kApp; },                          Reason::kMintedMismatch},
      {"an app-only token",     [](auto& t) { t.app_only = true; t.user_oid.clear(); },      Reason::kMintedMismatch},
      {"already expired",       [](auto& t) { t.exp_unix = 1; },                             Reason::kMintedMismatch},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Fixture f;
    auto token = f.Token();
    row.spoil(*token);
    f.cache.next = token;
    const auto issued = f.Ask(Fixture::Asking({"Mail.Read"}), "r");
    REQUIRE_FALSE(issued.has_value());
    CHECK(issued.error().refusal.reason == row.want);
    CHECK(f.ledger.entries.back().type == EntryType::kTokenDenied);
  }
}

TEST_CASE("A caller whose process has exited gets nothing, not even after the mint") {
  Fixture f;
  f.cache.next = f.Token();
  int looks = 0;
  f.caller.alive = [&] { return ++looks < 2; };  // dies while Entra is asked
  const auto issued = f.Ask(Fixture::Asking({"Mail.Read"}), "r");
  REQUIRE_FALSE(issued.has_value());
  CHECK(issued.error().refusal.reason == Reason::kCallerGone);
  CHECK(f.ledger.entries.size() == 1);
}

TEST_CASE(
    "A cached token is released without a thread that waits, and only to a caller that lives") {
  Fixture f;
  f.cache.cached = f.Token();
  f.room = false;
  REQUIRE(f.Ask(Fixture::Asking({"Mail.Read"}), "r").has_value());
  CHECK(f.ledger.entries.back().type == EntryType::kTokenIssued);
  f.caller.alive = [] { return false; };
  const auto refused = f.Ask(Fixture::Asking({"Mail.Read"}), "r");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().refusal.reason == Reason::kCallerGone);
}

TEST_CASE("A release that no line can hold is refused as a fault of purser, and that is recorded") {
  Fixture f;
  f.cache.next = f.Token();
  f.ledger.refuses = [](const auto& entry) { return !entry.claimed.purpose.empty(); };
  auto request = Fixture::Asking({"Mail.Read"});
  request.context.purpose = "\x01";
  const auto refused = f.Ask(request, "r");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().refusal.reason == Reason::kInternal);
  REQUIRE(f.ledger.entries.size() == 1);
  CHECK(f.ledger.entries[0].type == EntryType::kTokenDenied);
  CHECK(f.ledger.entries[0].reason == "internal");
  CHECK(f.ledger.entries[0].token_fp.empty());
}

TEST_CASE("A token that must be minted is refused while no thread can wait for it") {
  Fixture f;
  f.cache.next = f.Token();
  f.room = false;
  const auto refused = f.Ask(Fixture::Asking({"Mail.Read"}), "r");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().refusal.reason == Reason::kOverloaded);
  REQUIRE(f.ledger.entries.size() == 1);
  CHECK(f.ledger.entries[0].type == EntryType::kTokenDenied);
}

TEST_CASE("The cache key holds credential, resource, scopes, claims and user") {
  Fixture f;
  f.cache.next = f.Token();
  auto request = Fixture::Asking({"Mail.Read"});
  request.claims = R"({"access_token":{}})";
  request.min_validity = 300s;
  REQUIRE(f.Ask(request, "r").has_value());
  CHECK(f.cache.keys[0] == broker::TokenKey{"aid-mail",
                                            "https://graph.microsoft.com",
                                            {"Mail.Read"},
                                            R"({"access_token":{}})",
                                            kUser});
  CHECK(f.cache.validities[0] == 300s);
}

namespace {

// The agent also holds an application's credential with two roles, and a token of it is cached.
struct AppFixture : Fixture {
  std::shared_ptr<broker::AccessToken> token = Token();

  AppFixture() {
    auto config = OneAgent();
    config.credentials["app"] = {.name = "app",
                                 .kind = "client-secret",
                                 .client_id = kApp,
                                 .scopes = {"Group.Read.All", "User.Read.All"}};
    for (const char* scope : {"Group.Read.All", "User.Read.All"}) {
      config.agents["helpdesk"].rules.push_back({.name = scope,
                                                 .scopes = {scope},
                                                 .credential = "app",
                                                 .decision = "log",
                                                 .deliver = "token"});
    }
    broker.SetConfig(std::make_shared<const broker::policy::Config>(config));
    token->app_only = true;
    token->user_oid.clear();
    token->scopes = {"Group.Read.All", "User.Read.All"};
    cache.next = token;
  }
};

}  // namespace

TEST_CASE("One token of an application serves every role that is asked for") {
  AppFixture f;
  REQUIRE(f.Ask(Fixture::Asking({"User.Read.All"}), "r").has_value());
  REQUIRE(f.Ask(Fixture::Asking({"Group.Read.All"}), "r").has_value());
  CHECK(f.cache.keys[0] == f.cache.keys[1]);
  CHECK(f.cache.keys[0].scopes == std::vector<std::string>{".default"});
  CHECK(f.ledger.entries[0].scopes == std::vector<std::string>{"User.Read.All"});
}

TEST_CASE("An application's token without the role that was asked for is refused") {
  AppFixture f;
  f.token->scopes = {"Group.Read.All"};
  const auto refused = f.Ask(Fixture::Asking({"User.Read.All"}), "r");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().refusal.reason == Reason::kConsentRequired);
  CHECK(f.Ask(Fixture::Asking({"Group.Read.All"}), "r").has_value());
}

TEST_CASE(
    "Only a token that is not what was configured is dropped, so that a mended tenant serves") {
  // clang-format off
  struct Row { const char* why; std::function<void(broker::AccessToken&)> spoil; bool dropped; };
  const Row rows[] = {
      {"one scope more",   [](auto& t) { t.scopes = {"Mail.Read", "Mail.Send"}; },  false},
      {"without its scope", [](auto& t) { t.scopes = {"openid"}; },                 false},
      {"as it should be",  [](auto&) {},                                            false},
      {"another audience", [](auto& t) { t.audience = "https://vault.azure.net"; }, true},
      {"another tenant",   [](auto& t) { t.tenant = kUser; },                       true},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Fixture f;
    auto token = f.Token();
    row.spoil(*token);
    f.cache.next = token;
    const auto answered = f.Ask(Fixture::Asking({"Mail.Read"}), "r");
    CHECK(f.cache.dropped == (row.dropped ? f.cache.keys : std::vector<broker::TokenKey>{}));
    CHECK(f.cache.evicted.empty());  // the credential's other tokens may be good
  }
}

TEST_CASE("A token that lives too long for one agent's rule is not taken from the others") {
  Fixture f;
  auto config = OneAgent();
  config.agents["helpdesk"].rules[0].max_lifetime = 10min;
  config.agents["other"] = OneAgent().agents["helpdesk"];
  config.agents["other"].name = "other";
  f.broker.SetConfig(std::make_shared<const broker::policy::Config>(std::move(config)));
  f.cache.next = f.Token();
  const auto refused = f.Ask(Fixture::Asking({"Mail.Read"}), "r");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().refusal.reason == Reason::kMintedMismatch);
  CHECK(f.cache.evicted.empty());
  CHECK(f.cache.dropped.empty());
  CHECK(f.cache.doubted == f.cache.keys);  // the next one may live for less
  f.caller.agent = "other";
  CHECK(f.Ask(Fixture::Asking({"Mail.Read"}), "r").has_value());
}
