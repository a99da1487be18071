#include "broker/budgets.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "broker/base/strict_json.h"

namespace broker {
namespace {

using nlohmann::json;
using Duration = Clock::Steady::duration;
using std::chrono::duration_cast, std::chrono::seconds;

// Time that one request costs.
Duration Cost(const policy::Limit& limit) {
  return duration_cast<Duration>(limit.per) / limit.count;
}

std::string KeyOf(const std::string& agent, const std::string& rule) {
  return rule.empty() ? agent : agent + "/" + rule;
}

// Whole ones, rounded up: what stands still must give the same text each time it is asked.
int64_t UnixSeconds(Clock::Wall wall) {
  return std::chrono::ceil<seconds>(wall.time_since_epoch()).count();
}

std::string HintFor(const std::string& key, const policy::Limit& limit, std::chrono::seconds wait) {
  return "The limit of " + key + ", " + std::to_string(limit.count) + " in " +
         std::to_string(limit.per.count()) + " seconds, allows one more in " +
         std::to_string(wait.count()) + " seconds.";
}

}  // namespace

std::vector<Budgets::Account> Budgets::AccountsOf(const policy::Agent& agent,
                                                  const std::vector<const policy::Rule*>& rules) {
  std::vector<Account> accounts;
  if (agent.limit.count != 0) accounts.push_back({agent.name, agent.limit});
  for (const policy::Rule* rule : rules) {
    if (rule->limit) accounts.push_back({KeyOf(agent.name, rule->name), *rule->limit});
  }
  return accounts;
}

// More than a whole limit is never owed: a configuration may have been loaded that allows more, or
// the wall clock set back over a restart.
Duration Budgets::WaitFor(const Account& account, Clock::Steady now) const {
  const auto it = next_.find(account.key);
  if (it == next_.end()) return Duration::zero();
  const auto owed = std::min<Duration>(it->second - now, account.limit.per);
  return std::max(Duration::zero(), owed + Cost(account.limit) - account.limit.per);
}

uint32_t Budgets::RemainingOf(const Account& account, Clock::Steady now) const {
  const auto it = next_.find(account.key);
  if (it == next_.end() || it->second <= now) return account.limit.count;
  const auto free = account.limit.per - std::min<Duration>(account.limit.per, it->second - now);
  return static_cast<uint32_t>(free / Cost(account.limit));
}

// Of what an operator added, while it is good.
bool Budgets::TakeRaised(const Account& account) {
  const auto it = raised_.find(account.key);
  if (it == raised_.end()) return false;
  --it->second.left;
  if (it->second.left == 0) raised_.erase(it);
  return true;
}

std::optional<Refusal> Budgets::Take(const policy::Agent& agent,
                                     const std::vector<const policy::Rule*>& grant_rules) {
  const std::vector<Account> accounts = AccountsOf(agent, grant_rules);
  const std::scoped_lock lock(mutex_);
  const auto now = clock_.Now();
  if (!raised_.empty()) {
    const auto wall = clock_.WallNow();
    std::erase_if(raised_, [&](const auto& raised) { return raised.second.until <= wall; });
  }
  for (const Account& account : accounts) {
    const auto wait = WaitFor(account, now);
    if (wait == Duration::zero() || raised_.contains(account.key)) continue;
    Refusal refusal{Reason::kBudget, {}, "limit of " + account.key, {}};
    refusal.retry_after = std::chrono::ceil<std::chrono::seconds>(wait);
    refusal.hint = HintFor(account.key, account.limit, *refusal.retry_after);
    return refusal;
  }
  for (const Account& account : accounts) {
    if (WaitFor(account, now) != Duration::zero() && TakeRaised(account)) continue;
    auto& next = next_[account.key];
    next = std::max(next, now) + Cost(account.limit);
  }
  return std::nullopt;
}

std::optional<uint32_t> Budgets::Remaining(const policy::Agent& agent) {
  if (agent.limit.count == 0) return std::nullopt;
  const std::scoped_lock lock(mutex_);
  return RemainingOf({agent.name, agent.limit}, clock_.Now());
}

std::vector<BudgetState> Budgets::Of(const policy::Agent& agent) {
  const std::scoped_lock lock(mutex_);
  const auto now = clock_.Now();
  std::vector<BudgetState> states;
  const auto add = [&](const std::string& rule, const policy::Limit& limit) {
    const Account account{KeyOf(agent.name, rule), limit};
    BudgetState state{.rule = rule, .limit = limit, .remaining = RemainingOf(account, now)};
    state.next_in = std::chrono::ceil<std::chrono::seconds>(WaitFor(account, now));
    const auto it = raised_.find(account.key);
    if (it != raised_.end() && it->second.until > clock_.WallNow()) {
      state.raised = it->second.left;
      state.raised_until = it->second.until;
    }
    states.push_back(std::move(state));
  };
  if (agent.limit.count != 0) add({}, agent.limit);
  for (const policy::Rule& rule : agent.rules) {
    if (rule.limit) add(rule.name, *rule.limit);
  }
  return states;
}

void Budgets::Raise(const std::string& agent, const std::string& rule, uint32_t count,
                    Clock::Wall until) {
  const std::scoped_lock lock(mutex_);
  if (count == 0) {
    raised_.erase(KeyOf(agent, rule));
  } else {
    raised_[KeyOf(agent, rule)] = {count, until};
  }
}

std::string Budgets::Kept() const {
  json used = json::object(), raised = json::object();
  const std::scoped_lock lock(mutex_);
  const auto now = clock_.Now();
  const auto wall = clock_.WallNow();
  for (const auto& [key, next] : next_) {
    if (next > now)
      used[key] = UnixSeconds(wall + duration_cast<Clock::Wall::duration>(next - now));
  }
  for (const auto& [key, more] : raised_) {
    if (more.until > wall) raised[key] = {more.left, UnixSeconds(more.until)};
  }
  return json{{"raised", std::move(raised)}, {"used", std::move(used)}}.dump();
}

Status Budgets::Restore(std::string_view kept) {
  const auto root = ParseStrictJson(kept);
  const auto bad = [] { return Fail(ErrorCode::kCorrupt, "kept budgets: malformed"); };
  if (!root || !root->is_object() || !root->contains("used") || !root->contains("raised") ||
      !root->at("used").is_object() || !root->at("raised").is_object()) {
    return bad();
  }
  const auto number = [](const json& value) {
    return value.is_number_unsigned() && value.get<uint64_t>() < uint64_t{1} << 33;  // year 2242
  };
  for (const auto& [key, at] : root->at("used").items()) {
    if (!number(at)) return bad();
  }
  for (const auto& [key, more] : root->at("raised").items()) {
    if (!more.is_array() || more.size() != 2 || !number(more[0]) || !number(more[1]) ||
        more[0].get<uint64_t>() > UINT32_MAX) {
      return bad();
    }
  }
  const std::scoped_lock lock(mutex_);
  const auto now = clock_.Now();
  const auto wall = clock_.WallNow();
  for (const auto& [key, at] : root->at("used").items()) {
    const auto owed = Clock::Wall(seconds(at.get<int64_t>())) - wall;
    if (owed <= Clock::Wall::duration::zero()) continue;
    auto& next = next_[key];
    next = std::max(next, now) + duration_cast<Duration>(owed);
  }
  for (const auto& [key, more] : root->at("raised").items()) {
    if (more[0].get<uint32_t>() == 0 || raised_.contains(key)) continue;
    raised_[key] = {more[0].get<uint32_t>(), Clock::Wall(seconds(more[1].get<int64_t>()))};
  }
  return {};
}

}  // namespace broker
