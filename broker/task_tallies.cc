#include "broker/task_tallies.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "broker/base/strict_json.h"
#include "broker/base/unix_time.h"
#include "broker/ledger/leaf.h"

namespace broker {
namespace {

using nlohmann::json;
using std::chrono::duration_cast, std::chrono::seconds;

constexpr size_t kDigestDigits = 16;  // 64 bits: two tasks of one in a million million million

// Of one task in the kept text, its account's name not counted.
constexpr size_t kRowBytes = kDigestDigits + 24;

std::string DigestOf(std::string_view task) {
  return task.empty() ? std::string() : ledger::Sha256Hex(task).substr(0, kDigestDigits);
}

bool IsFull(const std::map<std::string, Clock::Steady>& tasks, Clock::Steady now) {
  if (tasks.size() < TaskTallies::kMaxTasks) return false;
  return std::ranges::all_of(tasks, [now](const auto& task) { return task.second > now; });
}

}  // namespace

Clock::Steady& TaskTallies::Of(const std::string& account, std::string_view task,
                               Clock::Steady now) {
  Tasks& tasks = by_account_[account];
  std::string digest = DigestOf(task);
  if (!tasks.contains(digest) && tasks.size() >= kMaxTasks) {
    std::erase_if(tasks, [now](const auto& done) { return done.second <= now; });
    if (tasks.size() >= kMaxTasks) digest.clear();
  }
  return tasks[digest];
}

Clock::Steady TaskTallies::Find(const std::string& account, std::string_view task,
                                Clock::Steady now) const {
  const auto tasks = by_account_.find(account);
  if (tasks == by_account_.end()) return {};
  auto found = tasks->second.find(DigestOf(task));
  if (found == tasks->second.end() && IsFull(tasks->second, now)) found = tasks->second.find("");
  return found == tasks->second.end() ? Clock::Steady{} : found->second;
}

TaskTallies::Fullest TaskTallies::FullestOf(const std::string& account, Clock::Steady now) const {
  Fullest fullest;
  const auto tasks = by_account_.find(account);
  if (tasks == by_account_.end()) return fullest;
  for (const auto& [digest, next] : tasks->second) {
    if (next <= now) continue;
    ++fullest.tasks;
    fullest.next = std::max(fullest.next, next);
  }
  return fullest;
}

std::string TaskTallies::Kept(const Clock& clock) const {
  const auto now = clock.Now();
  const auto wall = clock.WallNow();
  std::vector<std::pair<int64_t, std::pair<std::string, std::string>>> owed;
  for (const auto& [account, tasks] : by_account_) {
    for (const auto& [digest, next] : tasks) {
      if (next <= now) continue;
      const auto at = wall + duration_cast<Clock::Wall::duration>(next - now);
      owed.push_back(
          {std::chrono::ceil<seconds>(at.time_since_epoch()).count(), {account, digest}});
    }
  }
  std::ranges::sort(owed, std::greater());
  json kept = json::object();
  size_t bytes = 0;
  for (const auto& [at, task] : owed) {
    bytes += task.first.size() + kRowBytes;
    if (bytes > kMaxKeptBytes) break;
    kept[task.first][task.second] = at;
  }
  return kept.dump();
}

Status TaskTallies::Restore(std::string_view kept, const Clock& clock) {
  const auto root = ParseStrictJson(kept);
  const auto bad = [] { return Fail(ErrorCode::kCorrupt, "kept tasks: malformed"); };
  if (!root || !root->is_object()) return bad();
  for (const auto& [account, tasks] : root->items()) {
    if (!tasks.is_object() || tasks.size() > kMaxTasks + 1) return bad();
    for (const auto& [digest, at] : tasks.items()) {
      if (!at.is_number_unsigned() || at.get<uint64_t>() >= kLatestUnixSeconds) return bad();
    }
  }
  const auto now = clock.Now();
  const auto wall = clock.WallNow();
  for (const auto& [account, tasks] : root->items()) {
    for (const auto& [digest, at] : tasks.items()) {
      const auto owed = Clock::Wall(seconds(at.get<int64_t>())) - wall;
      if (owed <= Clock::Wall::duration::zero()) continue;
      auto& next = by_account_[account][digest];
      next = std::max(next, now) + duration_cast<Clock::Steady::duration>(owed);
    }
  }
  return {};
}

}  // namespace broker
