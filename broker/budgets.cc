#include "broker/budgets.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "broker/base/strict_json.h"
#include "broker/base/unix_time.h"

namespace broker {
namespace {

using nlohmann::json;
using Duration = Clock::Steady::duration;
using std::chrono::duration_cast, std::chrono::seconds;

constexpr std::array<std::pair<Measure, std::string_view>, 3> kMeasures{
    {{Measure::kRequests, "limit"},
     {Measure::kPerTask, "per_task"},
     {Measure::kConcurrent, "concurrent"}}};

// Time that one request costs.
Duration Cost(const policy::Limit& limit) {
  return duration_cast<Duration>(limit.per) / limit.count;
}

// More than a whole limit is never owed: a configuration may have been loaded that allows more, or
// the wall clock set back over a restart.
Duration WaitFor(const policy::Limit& limit, Clock::Steady next, Clock::Steady now) {
  if (next <= now) return Duration::zero();
  const auto owed = std::min<Duration>(next - now, limit.per);
  return std::max(Duration::zero(), owed + Cost(limit) - limit.per);
}

uint32_t RemainingOf(const policy::Limit& limit, Clock::Steady next, Clock::Steady now) {
  if (next <= now) return limit.count;
  const auto free = limit.per - std::min<Duration>(limit.per, next - now);
  return static_cast<uint32_t>(free / Cost(limit));
}

// What names the limit: "helpdesk", "helpdesk/reset". Names hold no slash.
std::string KeyOf(const std::string& agent, const std::string& rule) {
  return rule.empty() ? agent : agent + "/" + rule;
}

// Its raise; names hold no '#'.
std::string RaiseKey(const std::string& key, Measure measure) {
  return measure == Measure::kRequests ? key : key + "#" + std::string(NameOf(measure));
}

// Whole ones, rounded up: what stands still must give the same text each time it is asked.
int64_t UnixSecondsUp(Clock::Wall wall) {
  return std::chrono::ceil<seconds>(wall.time_since_epoch()).count();
}

Refusal OverLimit(const std::string& key, std::string_view what, const std::string& limit,
                  seconds wait) {
  Refusal refusal{Reason::kBudget, {}, std::string(what) + " of " + key, {}};
  refusal.retry_after = wait;
  refusal.hint = "The " + refusal.detail + ", " + limit + ", allows one more in " +
                 std::to_string(wait.count()) + " seconds.";
  return refusal;
}

}  // namespace

std::string_view NameOf(Measure measure) {
  return std::ranges::find(kMeasures, measure, &decltype(kMeasures)::value_type::first)->second;
}

std::optional<Measure> FindMeasure(std::string_view name) {
  for (const auto& [measure, its_name] : kMeasures) {
    if (name == its_name) return measure;
  }
  return std::nullopt;
}

Budgets::Accounts Budgets::RatesOf(const policy::Agent& agent, const Rules& rules,
                                   std::string_view task) {
  Accounts accounts;
  const auto add = [&](std::string key, const policy::Limit& limit, Measure measure) {
    if (limit.count == 0) return;
    const bool by_task = measure == Measure::kPerTask;
    accounts.push_back({std::move(key), limit, measure, by_task ? task : std::string_view()});
  };
  add(agent.name, agent.limit, Measure::kRequests);
  add(agent.name, agent.per_task, Measure::kPerTask);
  for (const policy::Rule* rule : rules) {
    const std::string key = KeyOf(agent.name, rule->name);
    add(key, rule->limit.value_or(policy::Limit{}), Measure::kRequests);
    add(key, rule->per_task, Measure::kPerTask);
  }
  return accounts;
}

Budgets::Accounts Budgets::SeatsOf(const policy::Agent& agent, const Rules& rules) {
  Accounts accounts;
  const auto add = [&](std::string key, uint32_t count) {
    if (count == 0) return;
    accounts.push_back({std::move(key), {count, {}}, Measure::kConcurrent});
  };
  add(agent.name, agent.concurrent);
  for (const policy::Rule* rule : rules) add(KeyOf(agent.name, rule->name), rule->concurrent);
  return accounts;
}

Clock::Steady Budgets::NextOf(const Account& account, Clock::Steady now) const {
  if (account.measure == Measure::kPerTask) return tasks_.Find(account.key, account.task, now);
  const auto it = next_.find(account.key);
  return it == next_.end() ? Clock::Steady{} : it->second;
}

Clock::Steady& Budgets::MakeNext(const Account& account, Clock::Steady now) {
  if (account.measure == Measure::kPerTask) return tasks_.Of(account.key, account.task, now);
  return next_[account.key];
}

void Budgets::EndRaises() {
  if (raised_.empty()) return;
  const auto wall = clock_.WallNow();
  std::erase_if(raised_, [&](const auto& raised) { return raised.second.until <= wall; });
}

// Of what an operator added, while it is good.
bool Budgets::TakeRaised(const Account& account) {
  const auto it = raised_.find(RaiseKey(account.key, account.measure));
  if (it == raised_.end()) return false;
  --it->second.left;
  if (it->second.left == 0) raised_.erase(it);
  return true;
}

std::optional<Refusal> Budgets::Take(const policy::Agent& agent, const Rules& grant_rules,
                                     std::string_view task) {
  const Accounts accounts = RatesOf(agent, grant_rules, task);
  const std::scoped_lock lock(mutex_);
  const auto now = clock_.Now();
  EndRaises();
  for (const Account& account : accounts) {
    const auto most = now + account.limit.per;
    if (NextOf(account, now) > most) MakeNext(account, now) = most;
  }
  for (const Account& account : accounts) {
    const auto wait = WaitFor(account.limit, NextOf(account, now), now);
    if (wait == Duration::zero() || raised_.contains(RaiseKey(account.key, account.measure))) {
      continue;
    }
    return OverLimit(account.key, account.measure == Measure::kPerTask ? "limit per task" : "limit",
                     std::to_string(account.limit.count) + " in " +
                         std::to_string(account.limit.per.count()) + " seconds",
                     std::chrono::ceil<seconds>(wait));
  }
  for (const Account& account : accounts) {
    const bool over = WaitFor(account.limit, NextOf(account, now), now) != Duration::zero();
    if (over && TakeRaised(account)) continue;
    auto& next = MakeNext(account, now);
    next = std::max(next, now) + Cost(account.limit);
  }
  return std::nullopt;
}

// Without a fingerprint: of a token that the agent does not have.
std::optional<Refusal> Budgets::RefuseHold(const Accounts& seats, const std::string* fingerprint) {
  EndRaises();
  const int64_t now = UnixSeconds(clock_.WallNow());
  for (const Account& seat : seats) {
    if (fingerprint != nullptr && held_.Has(seat.key, *fingerprint, now)) continue;
    const auto raised = raised_.find(RaiseKey(seat.key, Measure::kConcurrent));
    const uint64_t allowed =
        uint64_t{seat.limit.count} + (raised == raised_.end() ? 0 : raised->second.left);
    if (held_.Alive(seat.key, now) < allowed) continue;
    const int64_t wait = held_.FirstEnd(seat.key, now).value_or(now + 1) - now;
    return OverLimit(
        seat.key, "limit",
        std::to_string(allowed) + (allowed == 1 ? " token alive" : " tokens alive") + " at a time",
        seconds(wait));
  }
  return std::nullopt;
}

std::optional<Refusal> Budgets::Hold(const policy::Agent& agent, const Rules& grant_rules,
                                     const HeldToken& token) {
  const Accounts seats = SeatsOf(agent, grant_rules);
  if (seats.empty()) return std::nullopt;
  const std::scoped_lock lock(mutex_);
  if (auto refusal = RefuseHold(seats, &token.fingerprint)) return refusal;
  const int64_t now = UnixSeconds(clock_.WallNow());
  for (const Account& seat : seats) held_.Add(seat.key, token.fingerprint, token.exp_unix, now);
  return std::nullopt;
}

std::optional<Refusal> Budgets::CheckRoom(const policy::Agent& agent, const Rules& grant_rules) {
  const Accounts seats = SeatsOf(agent, grant_rules);
  if (seats.empty()) return std::nullopt;
  const std::scoped_lock lock(mutex_);
  return RefuseHold(seats, nullptr);
}

std::optional<uint32_t> Budgets::Remaining(const policy::Agent& agent) {
  if (agent.limit.count == 0) return std::nullopt;
  const std::scoped_lock lock(mutex_);
  const auto now = clock_.Now();
  return RemainingOf(agent.limit, NextOf({agent.name, agent.limit}, now), now);
}

BudgetState Budgets::StateOf(const Account& account, const std::string& rule) const {
  BudgetState state{.rule = rule, .measure = account.measure, .limit = account.limit};
  const auto now = clock_.Now();
  if (account.measure == Measure::kConcurrent) {
    const int64_t at = UnixSeconds(clock_.WallNow());
    const uint32_t alive = held_.Alive(account.key, at);
    state.remaining = alive < account.limit.count ? account.limit.count - alive : 0;
    if (state.remaining == 0) {
      state.next_in = seconds(held_.FirstEnd(account.key, at).value_or(at) - at);
    }
  } else {
    auto next = NextOf(account, now);
    if (account.measure == Measure::kPerTask) {
      const auto fullest = tasks_.FullestOf(account.key, now);
      next = fullest.next;
      state.tasks = static_cast<uint32_t>(fullest.tasks);
    }
    state.remaining = RemainingOf(account.limit, next, now);
    state.next_in = std::chrono::ceil<seconds>(WaitFor(account.limit, next, now));
  }
  const auto it = raised_.find(RaiseKey(account.key, account.measure));
  if (it != raised_.end() && it->second.until > clock_.WallNow()) {
    state.raised = it->second.left;
    state.raised_until = it->second.until;
  }
  return state;
}

std::vector<BudgetState> Budgets::Of(const policy::Agent& agent) {
  const std::scoped_lock lock(mutex_);
  std::vector<BudgetState> states;
  policy::Agent only = agent;
  only.rules.clear();
  const auto add = [&](const policy::Agent& own, const Rules& rules, const std::string& rule) {
    for (const Account& account : RatesOf(own, rules, {})) {
      states.push_back(StateOf(account, rule));
    }
    for (const Account& account : SeatsOf(own, rules)) states.push_back(StateOf(account, rule));
  };
  add(only, {}, {});
  policy::Agent unlimited;
  unlimited.name = agent.name;
  for (const policy::Rule& rule : agent.rules) add(unlimited, {&rule}, rule.name);
  return states;
}

void Budgets::Raise(const Which& which, uint32_t count, Clock::Wall until) {
  const std::string key = RaiseKey(KeyOf(which.agent, which.rule), which.measure);
  const std::scoped_lock lock(mutex_);
  if (count == 0) {
    raised_.erase(key);
  } else {
    raised_[key] = {count, until};
  }
}

Budgets::Texts Budgets::Kept() const {
  json used = json::object(), raised = json::object();
  const std::scoped_lock lock(mutex_);
  const auto now = clock_.Now();
  const auto wall = clock_.WallNow();
  for (const auto& [key, next] : next_) {
    if (next > now)
      used[key] = UnixSecondsUp(wall + duration_cast<Clock::Wall::duration>(next - now));
  }
  for (const auto& [key, more] : raised_) {
    if (more.until > wall) raised[key] = {more.left, UnixSecondsUp(more.until)};
  }
  return {json{{"raised", std::move(raised)}, {"used", std::move(used)}}.dump(),
          tasks_.Kept(clock_), held_.Kept(UnixSeconds(wall))};
}

Status Budgets::Restore(const Texts& kept) {
  const std::scoped_lock lock(mutex_);
  Status done;
  const auto note = [&done](Status one) {
    if (!one) done = std::move(one);
  };
  if (!kept.used.empty()) note(RestoreUsed(kept.used));
  if (!kept.tasks.empty()) note(tasks_.Restore(kept.tasks, clock_));
  if (!kept.held.empty()) note(held_.Restore(kept.held));
  return done;
}

Status Budgets::RestoreUsed(std::string_view kept) {
  const auto root = ParseStrictJson(kept);
  const auto bad = [] { return Fail(ErrorCode::kCorrupt, "kept budgets: malformed"); };
  if (!root || !root->is_object() || !root->contains("used") || !root->contains("raised") ||
      !root->at("used").is_object() || !root->at("raised").is_object()) {
    return bad();
  }
  const auto number = [](const json& value) {
    return value.is_number_unsigned() && value.get<uint64_t>() < kLatestUnixSeconds;
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
