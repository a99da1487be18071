// broker/budgets.h: how often an agent may ask.
#pragma once
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"
#include "broker/policy/config.h"
#include "broker/ports/clock.h"
#include "broker/reason.h"

namespace broker {

/// One limit as it stands.
struct BudgetState {
  std::string rule;  // empty: of the whole agent
  policy::Limit limit;
  uint32_t remaining = 0;           // at this moment, without what was raised
  std::chrono::seconds next_in{0};  // until one more is allowed; 0: one is now
  uint32_t raised = 0;              // left of what an operator added
  std::optional<Clock::Wall> raised_until;
};

/// Counts against limits with the generic cell rate algorithm: `600/hour` allows a burst of 600 and
/// then one every six seconds, `5/day` five and then one every 4 h 48 min. There is no midnight at
/// which all is new. Thread-safe.
class Budgets {
 public:
  explicit Budgets(const Clock& clock) : clock_(clock) {}

  /// Takes one from the agent's limit and from the limit of each rule in `grant_rules`, or from
  /// none. Refuses with kBudget and the time to wait.
  std::optional<Refusal> Take(const policy::Agent& agent,
                              const std::vector<const policy::Rule*>& grant_rules);

  /// How many requests the agent could make at this moment; nothing where it has no limit.
  std::optional<uint32_t> Remaining(const policy::Agent& agent);
  /// The agent's own limit and those of its rules, where there are any.
  std::vector<BudgetState> Of(const policy::Agent& agent);

  /// Allows `count` requests beyond the limit, until then. In place of what was raised before. An
  /// empty `rule`: the agent's own limit.
  void Raise(const std::string& agent, const std::string& rule, uint32_t count, Clock::Wall until);

  /// All that is used and raised, as text, by the wall clock; Restore() adds it to what was used
  /// since this process began. Errors: kCorrupt.
  [[nodiscard]] std::string Kept() const;
  Status Restore(std::string_view kept);

 private:
  struct Account {
    std::string key;
    policy::Limit limit;
  };
  struct Raised {
    uint32_t left = 0;
    Clock::Wall until{};
  };
  // REQUIRES: mutex_.
  Clock::Steady::duration WaitFor(const Account& account, Clock::Steady now) const;
  uint32_t RemainingOf(const Account& account, Clock::Steady now) const;
  bool TakeRaised(const Account& account);
  static std::vector<Account> AccountsOf(const policy::Agent& agent,
                                         const std::vector<const policy::Rule*>& rules);

  const Clock& clock_;
  mutable std::mutex mutex_;
  /// Theoretical arrival time of the next request, by "agent" or "agent/rule". Bounded by the
  /// configuration: agents and rules have no other source.
  std::map<std::string, Clock::Steady> next_;
  std::map<std::string, Raised> raised_;
};

}  // namespace broker
