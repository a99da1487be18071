#include "broker/budgets.h"

#include <algorithm>
#include <vector>

namespace broker {
namespace {

using Duration = Clock::Steady::duration;

// Time that one request costs.
Duration Cost(const policy::Limit& limit) {
  return std::chrono::duration_cast<Duration>(limit.per) / limit.count;
}

}  // namespace

Duration Budgets::WaitFor(const Account& account, Clock::Steady now) const {
  const auto it = next_.find(account.key);
  if (it == next_.end()) return Duration::zero();
  const auto earliest = it->second + Cost(account.limit) - account.limit.per;
  return std::max(Duration::zero(), earliest - now);
}

std::optional<Refusal> Budgets::Take(const policy::Agent& agent,
                                     const std::vector<const policy::Rule*>& grant_rules) {
  std::vector<Account> accounts;
  if (agent.limit.count != 0) accounts.push_back({agent.name, agent.limit});
  for (const policy::Rule* rule : grant_rules) {
    if (rule->limit) accounts.push_back({agent.name + "/" + rule->name, *rule->limit});
  }
  const std::scoped_lock lock(mutex_);
  const auto now = clock_.Now();
  for (const Account& account : accounts) {
    const auto wait = WaitFor(account, now);
    if (wait == Duration::zero()) continue;
    Refusal refusal{Reason::kBudget, {}, "limit of " + account.key, {}};
    refusal.retry_after = std::chrono::ceil<std::chrono::seconds>(wait);
    return refusal;
  }
  for (const Account& account : accounts) {
    auto& next = next_[account.key];
    next = std::max(next, now) + Cost(account.limit);
  }
  return std::nullopt;
}

std::optional<uint32_t> Budgets::Remaining(const policy::Agent& agent) {
  if (agent.limit.count == 0) return std::nullopt;
  const std::scoped_lock lock(mutex_);
  const auto now = clock_.Now();
  const auto it = next_.find(agent.name);
  if (it == next_.end() || it->second <= now) return agent.limit.count;
  const auto free = agent.limit.per - std::min<Duration>(agent.limit.per, it->second - now);
  return static_cast<uint32_t>(free / Cost(agent.limit));
}

}  // namespace broker
