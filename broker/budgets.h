// broker/budgets.h: how often an agent may ask, and how much it may hold.
#pragma once
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"
#include "broker/held_tokens.h"
#include "broker/policy/config.h"
#include "broker/ports/clock.h"
#include "broker/reason.h"
#include "broker/task_tallies.h"

namespace broker {

/// What a limit counts.
enum class Measure {
  kRequests,    // `limit`
  kPerTask,     // `per_task`: the requests of each claimed task
  kConcurrent,  // `concurrent`: tokens alive outside at a time
};

/// "limit", "per_task", "concurrent", as in the configuration.
std::string_view NameOf(Measure measure);
std::optional<Measure> FindMeasure(std::string_view name);

/// One limit as it stands.
struct BudgetState {
  std::string rule;  // empty: of the whole agent
  Measure measure = Measure::kRequests;
  policy::Limit limit;              // kConcurrent: its count alone
  uint32_t remaining = 0;           // without what was raised; kPerTask: of the task with the least
  std::chrono::seconds next_in{0};  // until one more is allowed; 0: one is now
  uint32_t tasks = 0;               // kPerTask: that have used some of it
  uint32_t raised = 0;              // left of what an operator added
  std::optional<Clock::Wall> raised_until;
};

/// A released token, as HeldTokens knows it.
struct HeldToken {
  const std::string& fingerprint;
  int64_t exp_unix;
};

/// Counts against limits with the generic cell rate algorithm: `600/hour` allows a burst of 600 and
/// then one every six seconds, `5/day` five and then one every 4 h 48 min. There is no midnight at
/// which all is new. Thread-safe.
class Budgets {
 public:
  using Rules = std::vector<const policy::Rule*>;

  explicit Budgets(const Clock& clock) : clock_(clock) {}

  /// Takes one from each limit of requests, those per task included, that the agent and the rules
  /// in `grant_rules` have, or from none. Refuses with kBudget and the time to wait. `task` is what
  /// the agent claims; requests without one are one task.
  std::optional<Refusal> Take(const policy::Agent& agent, const Rules& grant_rules,
                              std::string_view task = {});

  /// Notes that the agent is about to get the token. Refuses with kBudget where too many others of
  /// the agent, or of one of the rules, are alive; one that it has already is no other.
  std::optional<Refusal> Hold(const policy::Agent& agent, const Rules& grant_rules,
                              const HeldToken& token);
  /// Refuses as Hold would for a token that the agent does not have. Notes nothing.
  std::optional<Refusal> CheckRoom(const policy::Agent& agent, const Rules& grant_rules);

  /// How many requests the agent could make at this moment; nothing where it has no limit.
  std::optional<uint32_t> Remaining(const policy::Agent& agent);
  /// The agent's own limits and those of its rules, where there are any.
  std::vector<BudgetState> Of(const policy::Agent& agent);

  /// Which limit: an empty `rule` names the agent's own.
  struct Which {
    std::string agent, rule;
    Measure measure = Measure::kRequests;
  };
  /// Allows `count` beyond the limit, until then: requests, of whatever task, or tokens alive at a
  /// time. In place of what was raised before; 0 ends that.
  void Raise(const Which& which, uint32_t count, Clock::Wall until);

  /// All that is used and raised, as texts, by the wall clock; Restore() adds it to what was used
  /// since this process began. An empty text restores nothing. Errors: kCorrupt.
  struct Texts {
    std::string used, tasks, held;
    bool operator==(const Texts&) const = default;
  };
  [[nodiscard]] Texts Kept() const;
  Status Restore(const Texts& kept);

 private:
  struct Account {
    std::string key;
    policy::Limit limit;
    Measure measure = Measure::kRequests;
    std::string_view task{};
  };
  struct Raised {
    uint32_t left = 0;
    Clock::Wall until{};
  };
  using Accounts = std::vector<Account>;
  static Accounts RatesOf(const policy::Agent& agent, const Rules& rules, std::string_view task);
  static Accounts SeatsOf(const policy::Agent& agent, const Rules& rules);
  // REQUIRES: mutex_.
  [[nodiscard]] Clock::Steady NextOf(const Account& account, Clock::Steady now) const;
  Clock::Steady& MakeNext(const Account& account, Clock::Steady now);
  [[nodiscard]] std::optional<Refusal> RefuseHold(const Accounts& seats,
                                                  const std::string* fingerprint);
  [[nodiscard]] BudgetState StateOf(const Account& account, const std::string& rule) const;
  void EndRaises();
  bool TakeRaised(const Account& account);
  Status RestoreUsed(std::string_view kept);

  const Clock& clock_;
  mutable std::mutex mutex_;
  /// Theoretical arrival time of the next request, by "agent" or "agent/rule". Bounded by the
  /// configuration: agents and rules have no other source.
  std::map<std::string, Clock::Steady> next_;
  TaskTallies tasks_;
  HeldTokens held_;
  std::map<std::string, Raised> raised_;
};

}  // namespace broker
