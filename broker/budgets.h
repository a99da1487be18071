// broker/budgets.h: how often an agent may ask.
#pragma once
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "broker/policy/config.h"
#include "broker/ports/clock.h"
#include "broker/reason.h"

namespace broker {

/// Counts against limits with the generic cell rate algorithm: `600/hour` allows a burst of 600 and
/// then one every six seconds. Memory only: a restart refills. Thread-safe.
class Budgets {
 public:
  explicit Budgets(const Clock& clock) : clock_(clock) {}

  /// Takes one from the agent's limit and from the limit of each rule in `grant_rules`, or from
  /// none. Refuses with kBudget and the time to wait.
  std::optional<Refusal> Take(const policy::Agent& agent,
                              const std::vector<const policy::Rule*>& grant_rules);

  /// How many requests the agent could make at this moment; nothing where it has no limit.
  std::optional<uint32_t> Remaining(const policy::Agent& agent);

 private:
  struct Account {
    std::string key;
    policy::Limit limit;
  };
  Clock::Steady::duration WaitFor(const Account& account, Clock::Steady now) const;

  const Clock& clock_;
  std::mutex mutex_;
  /// Theoretical arrival time of the next request, by "agent" or "agent/rule". Bounded by the
  /// configuration: agents and rules have no other source.
  std::map<std::string, Clock::Steady> next_;
};

}  // namespace broker
