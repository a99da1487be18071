#include "broker/budgets.h"

#include <doctest/doctest.h>

#include "test/fakes/fake_clock.h"

using broker::Budgets, broker::Reason, broker::policy::Agent, broker::policy::Limit,
    broker::policy::Rule;
using namespace std::chrono_literals;

TEST_CASE("A limit allows its burst, refuses the next, and says how long to wait") {
  FakeClock clock;
  Budgets budgets(clock);
  Agent agent;
  agent.name = "helpdesk";
  agent.limit = {3, 60s};
  for (int i = 0; i < 3; ++i) CHECK_FALSE(budgets.Take(agent, {}).has_value());
  const auto refused = budgets.Take(agent, {});
  REQUIRE(refused.has_value());
  CHECK(refused->reason == Reason::kBudget);
  CHECK(refused->retry_after == 20s);

  clock.Advance(*refused->retry_after - 1s);
  CHECK(budgets.Take(agent, {}).has_value());
  clock.Advance(1s);
  CHECK_FALSE(budgets.Take(agent, {}).has_value());
}

TEST_CASE("A refusal takes nothing, not even from the limits that had room") {
  FakeClock clock;
  Budgets budgets(clock);
  Agent agent;
  agent.name = "a";
  agent.limit = {10, 60s};
  Rule narrow;
  narrow.name = "narrow";
  narrow.limit = Limit{1, 60s};
  CHECK_FALSE(budgets.Take(agent, {&narrow}).has_value());
  for (int i = 0; i < 50; ++i) CHECK(budgets.Take(agent, {&narrow}).has_value());
  CHECK(budgets.Remaining(agent) == 9);
}

TEST_CASE("Agents do not share budgets, and no limit means no count") {
  FakeClock clock;
  Budgets budgets(clock);
  Agent one, other, free;
  one.name = "one";
  other.name = "other";
  free.name = "free";
  one.limit = other.limit = {1, 60s};
  CHECK_FALSE(budgets.Take(one, {}).has_value());
  CHECK(budgets.Take(one, {}).has_value());
  CHECK_FALSE(budgets.Take(other, {}).has_value());
  for (int i = 0; i < 100; ++i) CHECK_FALSE(budgets.Take(free, {}).has_value());
  CHECK_FALSE(budgets.Remaining(free).has_value());
}

namespace {

// An agent with 5 a day for its one rule, and no limit of its own.
struct Daily {
  FakeClock clock;
  Budgets budgets{clock};
  Agent agent{.name = "helpdesk"};

  Daily() { agent.rules.push_back({.name = "reset", .limit = Limit{5, 24h}}); }
  auto Take() { return Take(budgets); }
  std::optional<broker::Refusal> Take(Budgets& from) {
    return from.Take(agent, {&agent.rules.front()});
  }
  int TakeAll() {
    int taken = 0;
    while (!Take()) ++taken;
    return taken;
  }
};

}  // namespace

TEST_CASE("A refusal says whose limit it is and when it allows the next") {
  Daily day;
  CHECK(day.TakeAll() == 5);
  const auto refused = day.Take();
  CHECK(refused->retry_after == 17280s);
  CHECK(refused->hint ==
        "The limit of helpdesk/reset, 5 in 86400 seconds, allows one more in 17280 seconds.");
  const auto states = day.budgets.Of(day.agent);
  REQUIRE(states.size() == 1);
  CHECK(states[0].rule == "reset");
  CHECK(states[0].remaining == 0);
  CHECK(states[0].next_in == 17280s);
}

TEST_CASE("What is raised is given beyond the limit, once, and until its time") {
  Daily day;
  day.budgets.Raise({"helpdesk", "reset"}, 2, day.clock.WallNow() + 1h);
  CHECK(day.TakeAll() == 7);
  day.budgets.Raise({"helpdesk", "reset"}, 3, day.clock.WallNow() + 1h);
  CHECK(day.budgets.Of(day.agent)[0].raised == 3);
  day.clock.Advance(1h);
  CHECK(day.budgets.Of(day.agent)[0].raised == 0);
  CHECK(day.TakeAll() == 0);
  day.budgets.Raise({"helpdesk", "reset"}, 3, day.clock.WallNow() + 1h);
  day.budgets.Raise({"helpdesk", "reset"}, 0, day.clock.WallNow() + 1h);
  CHECK(day.TakeAll() == 0);
  day.budgets.Raise({"helpdesk", "another"}, 3, day.clock.WallNow() + 1h);
  CHECK(day.TakeAll() == 0);
}

TEST_CASE("A restart gives nothing back, and what stands still is kept once") {
  Daily day;
  CHECK(day.TakeAll() == 5);
  day.budgets.Raise({"helpdesk", "reset"}, 2, day.clock.WallNow() + 10h);
  const Budgets::Texts kept = day.budgets.Kept();
  day.clock.Advance(3min);
  CHECK(day.budgets.Kept() == kept);

  Budgets after(day.clock);
  REQUIRE(after.Restore(kept).has_value());
  CHECK_FALSE(day.Take(after).has_value());  // what was raised
  CHECK_FALSE(day.Take(after).has_value());
  CHECK(day.Take(after).has_value());
  day.clock.Advance(5h);
  CHECK_FALSE(day.Take(after).has_value());  // as without a restart
  CHECK(day.Take(after).has_value());
}

TEST_CASE("A date that was set back over a restart costs a whole limit, and no more") {
  Daily day;
  CHECK(day.TakeAll() == 5);
  const Budgets::Texts kept = day.budgets.Kept();
  day.clock.AdvanceWall(-240h);
  Budgets after(day.clock);
  REQUIRE(after.Restore(kept).has_value());
  const auto refused = day.Take(after);
  REQUIRE(refused.has_value());
  day.clock.Advance(*refused->retry_after);
  CHECK_FALSE(day.Take(after).has_value());  // as was said
  CHECK(day.Take(after).has_value());
}

TEST_CASE("What was used before the store was open counts, too") {
  Daily day;
  CHECK(day.TakeAll() == 5);
  const Budgets::Texts kept = day.budgets.Kept();
  Budgets after(day.clock);
  CHECK_FALSE(day.Take(after).has_value());
  REQUIRE(after.Restore(kept).has_value());
  CHECK(day.Take(after)->retry_after <= 24h);  // never more than a whole limit
}

TEST_CASE("A text that is not of ours restores nothing") {
  for (const char* text : {" ", "[]", "{}", R"({"used":{}})", R"({"raised":[],"used":{}})",
                           R"({"raised":{},"used":{"a":-1}})", R"({"raised":{},"used":{"a":"1"}})",
                           R"({"raised":{},"used":{"a":18446744073709551615}})",
                           R"({"raised":{"a":[1]},"used":{"helpdesk/reset":9000000000}})",
                           R"({"raised":{"a":[4294967296,5]},"used":{}})"}) {
    CAPTURE(text);
    Daily day;
    CHECK_FALSE(day.budgets.Restore({.used = text, .tasks = {}, .held = {}}).has_value());
    CHECK(day.TakeAll() == 5);
  }
}
