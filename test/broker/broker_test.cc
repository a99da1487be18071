#include "broker/broker.h"

#include <doctest/doctest.h>

#include "test/broker/at_once.h"
#include "test/fakes/fake_mint_ports.h"
#include "test/fakes/fake_token_cache.h"

using broker::Broker, broker::Caller, broker::ErrorCode, broker::Exit, broker::Reason,
    broker::TokenRequest;
using broker::ledger::EntryType, broker::ledger::Outcome;
using namespace std::chrono_literals;

namespace {

constexpr const char* kTenant = "8f0c1e5e-0000-4000-8000-000000000001";
constexpr const char* kUser = "11111111-0000-4000-8000-000000000002";
constexpr const char* kApp = "22222222-0000-4000-8000-000000000003";

broker::policy::Config OneAgent() {
  broker::policy::Config config;
  config.instance.name = "test";
  config.tenant = {kTenant, "public", "https://login.microsoftonline.com",
                   "https://graph.microsoft.com"};
  config.credentials["aid-mail"] = {.name = "aid-mail",
                                    .kind = "refresh-token",
                                    .client_id = kApp,
                                    .user = kUser,
                                    .scopes = {"Mail.Read"}};
  broker::policy::Agent agent;
  agent.name = "helpdesk";
  agent.limit = {5, 3600s};
  agent.rules.push_back({.name = "read-mail",
                         .scopes = {"Mail.Read"},
                         .credential = "aid-mail",
                         .decision = "log",
                         .deliver = "token"});
  config.agents["helpdesk"] = agent;
  config.sha256 = "abc";
  return config;
}

struct Fixture : FakeMintPorts {
  FakeTokenCache cache;
  broker::Minter minter{ports()};
  bool unsealed = true;
  bool room = true;
  Broker broker{{cache, minter, ledger, clock, [this] { return unsealed; },
                 [this](Broker::Job job) {
                   if (room) job();
                   return room;
                 }},
                std::make_shared<const broker::policy::Config>(OneAgent())};
  Caller caller{"helpdesk", {.uid = 1000, .gid = 1000}, {}};

  std::shared_ptr<broker::AccessToken> Token() const {
    auto token = std::make_shared<broker::AccessToken>();
    token->value = broker::Secret::CopyOf("the-token");
    token->minted_at = clock.Now();
    token->expires_at = clock.Now() + 1h;
    token->refresh_at = clock.Now() + 48min;
    token->exp_unix =
        std::chrono::duration_cast<std::chrono::seconds>(clock.WallNow().time_since_epoch())
            .count() +
        3600;
    token->audience = "https://graph.microsoft.com";
    token->tenant = kTenant;
    token->app_id = kApp;
    token->user_oid = kUser;
    token->uti = "uti-1";
    token->scopes = {"Mail.Read"};
    token->fingerprint = "f00d";
    token->credential_version = "3";
    return token;
  }
  std::expected<broker::IssuedToken, broker::Denied> Ask(const TokenRequest& request,
                                                         const std::string& id) {
    return AskAtOnce(broker, caller, request, id);
  }

  static TokenRequest Asking(std::vector<std::string> scopes) {
    TokenRequest request;
    request.scopes = std::move(scopes);
    return request;
  }
};

}  // namespace

TEST_CASE("A token is released with an entry that says who, what, by which rule and which token") {
  Fixture f;
  f.cache.next = f.Token();
  const auto issued = f.Ask(Fixture::Asking({"Mail.Read"}), "req-1");
  REQUIRE(issued.has_value());
  CHECK(issued->token->value.Expose(Exit::kTest) == "the-token");
  CHECK(issued->receipt.seq == 1);
  REQUIRE(f.ledger.entries.size() == 1);
  const auto& entry = f.ledger.entries[0];
  CHECK(entry.type == EntryType::kTokenIssued);
  CHECK(entry.outcome == Outcome::kSuccess);
  CHECK(entry.agent == "helpdesk");
  CHECK(entry.caller->uid == 1000);
  CHECK(entry.policy_rule == "read-mail");
  CHECK(entry.token_uti == "uti-1");
  CHECK(entry.token_fp == "f00d");
  CHECK(entry.user_oid == kUser);
  CHECK(entry.request_id == "req-1");
}

TEST_CASE("Without a durable entry there is no token (promise 2)") {
  for (const auto& [code, reason] : {std::pair{ErrorCode::kUnavailable, Reason::kLedgerUnavailable},
                                     std::pair{ErrorCode::kDenied, Reason::kKilled}}) {
    Fixture f;
    f.cache.next = f.Token();
    f.ledger.fail_with = code;
    const auto issued = f.Ask(Fixture::Asking({"Mail.Read"}), "r");
    REQUIRE_FALSE(issued.has_value());
    CHECK(issued.error().refusal.reason == reason);
    CHECK_FALSE(issued.error().receipt.has_value());
  }
}

TEST_CASE("Each refusal is recorded and nothing is minted for it") {
  // clang-format off
  struct Row { const char* why; const char* agent; std::vector<std::string> scopes; Reason want; };
  const Row rows[] = {
      {"a scope that no rule grants",         "helpdesk", {"Mail.Send"},                        Reason::kNoRule},
      {"one granted and one not",             "helpdesk", {"Mail.Read", "Mail.Send"},           Reason::kNoRule},
      {"an agent that is not configured",     "stranger", {"Mail.Read"},                        Reason::kNoRule},
      {"another resource's scope",            "helpdesk", {"https://vault.azure.net/Mail.Read"}, Reason::kNoRule},
      {"two resources",                       "helpdesk", {"Mail.Read", "api://x/y"},           Reason::kMixedResources},
      {"no scope",                            "helpdesk", {},                                   Reason::kMissingField},
      {"a scope that is none",                "helpdesk", {"Mail Read"},                        Reason::kInvalidScope},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Fixture f;
    f.cache.next = f.Token();
    f.caller.agent = row.agent;
    const auto issued = f.Ask(Fixture::Asking(row.scopes), "r");
    REQUIRE_FALSE(issued.has_value());
    CHECK(issued.error().refusal.reason == row.want);
    CHECK(f.cache.keys.empty());
    REQUIRE(f.ledger.entries.size() == 1);
    CHECK(f.ledger.entries[0].type == EntryType::kTokenDenied);
    CHECK(f.ledger.entries[0].reason == broker::Describe(row.want).name);
  }
}

TEST_CASE("A refusal is recorded even if no line can hold what was asked for") {
  Fixture f;
  f.ledger.refuses = [](const auto& entry) {
    return !entry.scopes.empty() || !entry.claimed.purpose.empty() || !entry.trace.empty();
  };
  auto request = Fixture::Asking(std::vector<std::string>(64, std::string(256, 'A')));
  request.context.purpose = "\x01";
  request.trace = "\x01";
  const auto issued = f.Ask(request, "r");
  REQUIRE_FALSE(issued.has_value());
  CHECK(issued.error().refusal.reason == Reason::kNoRule);
  CHECK(issued.error().receipt.has_value());
  REQUIRE(f.ledger.entries.size() == 1);
  CHECK(f.ledger.entries[0].type == EntryType::kTokenDenied);
  CHECK(f.ledger.entries[0].agent == "helpdesk");
  CHECK(f.ledger.entries[0].caller->uid == 1000);
  CHECK(f.ledger.entries[0].reason == "no_rule");
}

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

TEST_CASE("Nothing is answered before its entry is durable (promise 2)") {
  struct Row {
    const char* scope;
    bool granted;
  };
  for (const Row& row : {Row{"Mail.Read", true}, Row{"Mail.Send", false}}) {
    CAPTURE(row.scope);
    Fixture f;
    f.cache.cached = f.Token();
    f.ledger.holds = true;
    std::optional<bool> answered;
    f.broker.IssueToken(f.caller, Fixture::Asking({row.scope}), "r",
                        [&](const auto& result) { answered = result.has_value(); });
    CHECK_FALSE(answered.has_value());
    f.ledger.LetGo();
    CHECK(answered == row.granted);
  }
}

TEST_CASE("While the store is sealed nothing is released and nothing minted") {
  Fixture f;
  f.cache.next = f.Token();
  f.unsealed = false;
  const auto refused = f.Ask(Fixture::Asking({"Mail.Read"}), "r");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().refusal.reason == Reason::kSealed);
  CHECK(f.cache.keys.empty());
}

TEST_CASE("A used-up budget refuses before anything is minted") {
  Fixture f;
  f.cache.next = f.Token();
  for (int i = 0; i < 5; ++i) {
    CHECK(f.Ask(Fixture::Asking({"Mail.Read"}), "r").has_value());
  }
  const auto refused = f.Ask(Fixture::Asking({"Mail.Read"}), "r");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().refusal.reason == Reason::kBudget);
  CHECK(f.cache.keys.size() == 5);
  CHECK(f.broker.RemainingBudget("helpdesk") == 0);
}

TEST_CASE("A dry run decides and releases nothing") {
  Fixture f;
  f.cache.next = f.Token();
  auto request = Fixture::Asking({"Mail.Read"});
  request.dry_run = true;
  const auto would = f.Ask(request, "r");
  REQUIRE(would.has_value());
  CHECK(would->token == nullptr);
  CHECK(would->rules == std::vector<std::string>{"read-mail"});
  CHECK(f.cache.keys.empty());
  request.scopes = {"Mail.Send"};
  CHECK_FALSE(f.Ask(request, "r").has_value());
}

TEST_CASE("A new configuration decides the next request") {
  Fixture f;
  f.cache.next = f.Token();
  auto config = OneAgent();
  config.agents["helpdesk"].rules.clear();
  f.broker.SetConfig(std::make_shared<const broker::policy::Config>(config));
  CHECK_FALSE(f.Ask(Fixture::Asking({"Mail.Read"}), "r").has_value());
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
    CHECK(f.cache.evicted ==
          (row.dropped ? std::vector<std::string>{"aid-mail"} : std::vector<std::string>{}));
  }
}
