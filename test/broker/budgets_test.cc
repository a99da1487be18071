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
