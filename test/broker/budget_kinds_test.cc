// Limits per task and on tokens alive at a time.
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "broker/budgets.h"
#include "broker/policy/decide.h"
#include "test/broker/broker_fixture.h"
#include "test/fakes/fake_clock.h"

using broker::Budgets, broker::Measure, broker::Reason, broker::TaskTallies, broker::policy::Agent,
    broker::policy::Limit, broker::policy::Rule;
using namespace std::chrono_literals;

namespace {

// Two an hour for each task, and three tokens at a time.
struct Desk {
  FakeClock clock;
  Budgets budgets{clock};
  Agent agent{.name = "helpdesk"};

  Desk() { agent.rules.push_back({.name = "reset", .per_task = {2, 1h}, .concurrent = 3}); }
  bool Asks(const std::string& task) { return Asks(budgets, task); }
  bool Asks(Budgets& from, const std::string& task) {
    return !from.Take(agent, {&agent.rules.front()}, task);
  }
  bool Gets(const std::string& fingerprint, std::chrono::seconds lifetime = 1h) {
    return Gets(budgets, fingerprint, lifetime);
  }
  bool Gets(Budgets& from, const std::string& fingerprint, std::chrono::seconds lifetime = 1h) {
    const auto exp = clock.WallNow() + lifetime;
    const auto unix_time = std::chrono::duration_cast<std::chrono::seconds>(exp.time_since_epoch());
    return !from.Hold(agent, {&agent.rules.front()}, {fingerprint, unix_time.count()});
  }
  bool HasRoom() { return !budgets.CheckRoom(agent, {&agent.rules.front()}); }
};

}  // namespace

TEST_CASE("Each task has its own share, and requests without a task are one task") {
  Desk desk;
  struct Row {
    const char* task;
    bool granted;
  };
  for (const Row& row : {Row{"T-1", true},
                         {"T-1", true},
                         {"T-1", false},
                         {"T-1", false},
                         {"T-2", true},
                         {"", true},
                         {"", true},
                         {"", false},
                         {"T-2", true},
                         {"T-2", false},
                         {"T-1", false}}) {
    CAPTURE(row.task);
    CHECK(desk.Asks(row.task) == row.granted);
  }
  const auto refused = desk.budgets.Take(desk.agent, {&desk.agent.rules.front()}, "T-1");
  CHECK(refused->reason == Reason::kBudget);
  CHECK(refused->retry_after == 1800s);
  CHECK(refused->hint ==
        "The limit per task of helpdesk/reset, 2 in 3600 seconds, allows one more in 1800 "
        "seconds.");
  desk.clock.Advance(1800s);
  CHECK(desk.Asks("T-1"));
  CHECK_FALSE(desk.Asks("T-1"));
}

TEST_CASE("An agent that calls each request another task ends up in one") {
  Desk desk;
  size_t granted = 0;
  for (size_t i = 0; i < 4 * TaskTallies::kMaxTasks; ++i) {
    granted += desk.Asks("task " + std::to_string(i)) ? 1 : 0;
  }
  CHECK(granted == TaskTallies::kMaxTasks + 2);
  CHECK_FALSE(desk.Asks("one more"));
  CHECK_FALSE(desk.Asks(""));
  CHECK(desk.Asks("task 0"));  // it has its own since long
  desk.clock.Advance(1h);
  CHECK(desk.Asks("one more"));
}

TEST_CASE("The agent's own limit holds, however many tasks there are") {
  Desk desk;
  desk.agent.limit = {5, 1h};
  size_t granted = 0;
  for (int i = 0; i < 50; ++i) granted += desk.Asks("task " + std::to_string(i)) ? 1 : 0;
  CHECK(granted == 5);
}

TEST_CASE("Tokens alive at a time are counted once each, until they expire") {
  Desk desk;
  CHECK(desk.Gets("aa", 10min));
  CHECK(desk.Gets("bb"));
  CHECK(desk.HasRoom());
  CHECK(desk.Gets("cc"));
  CHECK_FALSE(desk.HasRoom());
  CHECK_FALSE(desk.Gets("dd"));
  CHECK(desk.Gets("aa", 10min));  // it has it
  const auto refused = desk.budgets.CheckRoom(desk.agent, {&desk.agent.rules.front()});
  CHECK(refused->reason == Reason::kBudget);
  CHECK(refused->retry_after == 600s);
  CHECK(refused->hint ==
        "The limit of helpdesk/reset, 3 tokens alive at a time, allows one more in 600 seconds.");
  desk.clock.Advance(599s);
  CHECK_FALSE(desk.Gets("dd"));
  desk.clock.Advance(1s);
  CHECK(desk.Gets("dd"));
  CHECK_FALSE(desk.Gets("aa", 10min));  // the first is dead, and this would be a fourth
}

TEST_CASE("What is used per task and what is out survives a restart") {
  Desk desk;
  CHECK(desk.Asks("T-1"));
  CHECK(desk.Asks("T-1"));
  for (const char* one : {"aa", "bb", "cc"}) CHECK(desk.Gets(one));
  Budgets after(desk.clock);
  REQUIRE(after.Restore(desk.budgets.Kept()).has_value());
  CHECK(after.Kept() == desk.budgets.Kept());
  CHECK_FALSE(desk.Asks(after, "T-1"));
  CHECK(desk.Asks(after, "T-2"));
  CHECK_FALSE(desk.Gets(after, "dd"));
  CHECK(desk.Gets(after, "aa"));
  desk.clock.Advance(1h);
  CHECK(desk.Asks(after, "T-1"));
  CHECK(desk.Gets(after, "dd"));
}

TEST_CASE("What is kept fits a marker of the store, those that last longest first") {
  FakeClock clock;
  Budgets budgets(clock);
  for (int i = 0; i < 40; ++i) {
    Agent agent{.name = "agent-" + std::to_string(i), .per_task = {1, 24h}, .concurrent = 1000};
    for (int j = 0; j < 60; ++j) {
      const std::string name = std::to_string(i) + "-" + std::to_string(j);
      CHECK_FALSE(budgets.Take(agent, {}, name));
      CHECK_FALSE(budgets.Hold(agent, {}, {"fingerprint " + name, 4'000'000'000}));
    }
  }
  const Budgets::Texts kept = budgets.Kept();
  constexpr size_t kMarker = size_t{32} << 10;  // token_cache/store_format.h
  CHECK(kept.tasks.size() < kMarker);
  CHECK(kept.tasks.size() > kMarker / 2);
  CHECK(kept.held.size() < kMarker);
  CHECK(kept.held.size() > kMarker / 2);
}

TEST_CASE("Texts that are not of ours restore nothing") {
  for (const char* text : {"[]", "{\"a\":1}", "{\"a\":{\"b\":-1}}", "{\"a\":{\"b\":\"1\"}}",
                           "{\"helpdesk/reset\":{\"\":9000000000}}", "{"}) {
    CAPTURE(text);
    Desk desk;
    CHECK_FALSE(desk.budgets.Restore({.used = {}, .tasks = text, .held = {}}));
    CHECK_FALSE(desk.budgets.Restore({.used = {}, .tasks = {}, .held = text}));
    CHECK(desk.Asks(""));
    CHECK(desk.Gets("aa"));
  }
}

TEST_CASE("Each limit is shown and raised by itself") {
  Desk desk;
  desk.agent.rules.front().limit = Limit{100, 1h};
  CHECK(desk.Asks("T-1"));
  CHECK(desk.Asks("T-1"));
  CHECK(desk.Asks("T-2"));
  CHECK(desk.Gets("aa", 10min));
  const auto states = desk.budgets.Of(desk.agent);
  REQUIRE(states.size() == 3);
  CHECK(states[0].measure == Measure::kRequests);
  CHECK(states[0].remaining == 97);
  CHECK(states[1].measure == Measure::kPerTask);
  CHECK(states[1].remaining == 0);
  CHECK(states[1].tasks == 2);
  CHECK(states[1].next_in == 1800s);
  CHECK(states[2].measure == Measure::kConcurrent);
  CHECK(states[2].remaining == 2);
  const auto until = desk.clock.WallNow() + 30min;
  desk.budgets.Raise({"helpdesk", "reset", Measure::kPerTask}, 1, until);
  CHECK(desk.budgets.Of(desk.agent)[1].raised == 1);
  CHECK(desk.budgets.Of(desk.agent)[0].raised == 0);
  CHECK(desk.Asks("T-1"));
  CHECK_FALSE(desk.Asks("T-1"));
  desk.budgets.Raise({"helpdesk", "reset", Measure::kConcurrent}, 1, until);
  for (const char* one : {"bb", "cc", "dd"}) CHECK(desk.Gets(one));
  CHECK_FALSE(desk.Gets("ee"));
  desk.clock.Advance(30min);  // the raise has ended, and one token has
  CHECK_FALSE(desk.Gets("ee"));
}

TEST_CASE("A rule that limits anything never widens what another rule's token may hold") {
  // clang-format off
  struct Row { const char* why; Rule other; bool widens; };
  const Row rows[] = {
      {"one without a limit",        {.name = "o", .scopes = {"Mail.Send"}, .credential = "aid-mail", .decision = "log", .deliver = "token"}, true},
      {"one with a limit",           {.name = "o", .scopes = {"Mail.Send"}, .credential = "aid-mail", .decision = "log", .deliver = "token", .limit = Limit{9, 1h}}, false},
      {"one with a limit per task",  {.name = "o", .scopes = {"Mail.Send"}, .credential = "aid-mail", .decision = "log", .deliver = "token", .per_task = {9, 1h}}, false},
      {"one with so many at a time", {.name = "o", .scopes = {"Mail.Send"}, .credential = "aid-mail", .decision = "log", .deliver = "token", .concurrent = 9}, false},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    auto config = broker_test::OneAgent();
    config.credentials["aid-mail"].scopes.emplace_back("Mail.Send");
    config.agents["helpdesk"].rules.push_back(row.other);
    const auto grant =
        broker::policy::Decide(config, "helpdesk", broker_test::Fixture::Asking({"Mail.Read"}));
    REQUIRE(grant.has_value());
    const auto allowed = broker::policy::AllowedScopes(config, *grant);
    CHECK(allowed.size() == (row.widens ? 2 : 1));
  }
}

TEST_CASE("A token too many is neither released nor minted, and one that it has is no other") {
  broker_test::Fixture f;
  auto config = broker_test::OneAgent();
  config.agents["helpdesk"].concurrent = 1;
  f.broker.SetConfig(std::make_shared<const broker::policy::Config>(config));
  const auto ask = [&f] { return f.Ask(broker_test::Fixture::Asking({"Mail.Read"}), "r"); };
  f.cache.next = f.Token();
  CHECK(ask().has_value());
  CHECK_FALSE(ask().has_value());  // that would be minted
  CHECK(f.cache.keys.size() == 1);
  f.cache.cached = f.Token();
  CHECK(ask().has_value());
  auto other = f.Token();
  other->fingerprint = "beef";
  f.cache.cached = other;
  const auto refused = ask();
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().refusal.reason == Reason::kBudget);
  CHECK(refused.error().refusal.retry_after == 3600s);
  CHECK(f.ledger.entries.back().type == broker::ledger::EntryType::kTokenDenied);
  f.clock.Advance(1h);
  f.cache.cached = nullptr;
  auto later = f.Token();
  later->fingerprint = "cafe";
  f.cache.next = later;
  CHECK(ask().has_value());
}
