// broker/task_tallies.h: what single tasks have used of a `per_task` limit.
#pragma once
#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "broker/base/result.h"
#include "broker/ports/clock.h"

namespace broker {

/// When the next request of each task is due, by the account (an agent, or a rule of it) that
/// limits it. A task is what the agent claims: two that it calls the same are one. Kept as a
/// digest: a claimed text is nobody else's to read. Not thread-safe: of Budgets.
class TaskTallies {
 public:
  // Of one account, and only those that still owe something. An agent that calls each request
  // another task fills it; from then on all of its new tasks share one tally with its requests
  // without a task, so that inventing tasks gains no more than this many limits.
  static constexpr size_t kMaxTasks = 256;
  // What is kept over restarts, those that owe longest first: a marker of the store holds 32 KiB.
  static constexpr size_t kMaxKeptBytes = size_t{30} << 10;

  /// The tally of the task, made if need be. Its reference is good until the next call.
  Clock::Steady& Of(const std::string& account, std::string_view task, Clock::Steady now);
  /// When the task's next request is due; `now` or earlier where it owes nothing. Makes none.
  [[nodiscard]] Clock::Steady Find(const std::string& account, std::string_view task,
                                   Clock::Steady now) const;

  struct Fullest {
    size_t tasks = 0;      // that owe something
    Clock::Steady next{};  // of the one that owes most
  };
  [[nodiscard]] Fullest FullestOf(const std::string& account, Clock::Steady now) const;

  /// As text, by the wall clock. Restore() adds it to what was used since this process began.
  [[nodiscard]] std::string Kept(const Clock& clock) const;
  /// Errors: kCorrupt; then nothing was restored.
  Status Restore(std::string_view kept, const Clock& clock);

 private:
  using Tasks = std::map<std::string, Clock::Steady>;  // by digest; empty: none, or no room
  std::map<std::string, Tasks> by_account_;
};

}  // namespace broker
