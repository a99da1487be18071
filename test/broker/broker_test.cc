#include "broker/broker.h"

#include <doctest/doctest.h>

#include "test/broker/broker_fixture.h"

using namespace broker_test;
using broker::ErrorCode, broker::Exit, broker::Reason;
using broker::ledger::EntryType, broker::ledger::Outcome;

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
