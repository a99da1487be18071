#include "sidecar/ledger/flood_gate.h"

#include <algorithm>

#include "broker/ledger/line_writer.h"

namespace sidecar::ledger {

using broker::ledger::Entry, broker::ledger::EntryType, broker::ledger::Outcome;

namespace {

bool IsRefusal(EntryType type) {
  return type == EntryType::kTokenDenied || type == EntryType::kAdminDenied ||
         type == EntryType::kConnectionRefused;
}

std::string TimeText(FloodGate::Wall time) {
  std::string text;
  broker::ledger::AppendTime(time, &text);
  return text;
}

}  // namespace

bool FloodGate::Collapse(const Entry& entry, Steady now, Wall wall) {
  if (!IsRefusal(entry.type)) return false;
  const int64_t uid = entry.caller ? int64_t{entry.caller->uid} : -1;
  Key key{entry.type, entry.agent, entry.reason, entry.policy_rule, uid};
  if (windows_.size() >= kMaxKeys && !windows_.contains(key))
    key = {entry.type, "", "flood", "", -1};
  Window& window =
      windows_.try_emplace(std::move(key), Window{.ends = now + kWindow}).first->second;
  if (window.written < kPerWindow) {
    ++window.written;
    return false;
  }
  if (window.counted++ == 0) window.first = wall;
  window.last = wall;
  if (entry.caller) window.gid = entry.caller->gid;
  return true;
}

std::vector<Entry> FloodGate::TakeCounts(Steady now, bool all) {
  std::vector<Entry> counts;
  for (auto it = windows_.begin(); it != windows_.end();) {
    if (!all && it->second.ends > now) {
      ++it;
      continue;
    }
    if (it->second.counted > 0) counts.push_back(EntryOf(it->first, it->second));
    it = windows_.erase(it);
  }
  return counts;
}

void FloodGate::PutBack(const Entry& count, Steady now) {
  const int64_t uid = count.caller ? int64_t{count.caller->uid} : -1;
  Window& window = windows_[{count.type, count.agent, count.reason, count.policy_rule, uid}];
  window.ends = now + kWindow;
  window.written = kPerWindow;
  window.counted += static_cast<uint64_t>(std::get<int64_t>(count.change.at("count")));
}

FloodGate::Steady FloodGate::NextEnd() const {
  Steady next = Steady::max();
  for (const auto& [key, window] : windows_) next = std::min(next, window.ends);
  return next;
}

Entry FloodGate::EntryOf(const Key& key, const Window& window) {
  const auto& [type, agent, reason, rule, uid] = key;
  Entry entry{.type = type, .outcome = Outcome::kFailure, .reason = reason, .agent = agent};
  entry.policy_rule = rule;
  if (uid >= 0) {
    entry.caller.emplace();
    entry.caller->uid = static_cast<uint32_t>(uid);
    entry.caller->gid = window.gid;
  }
  entry.change["count"] = static_cast<int64_t>(window.counted);
  entry.change["first"] = TimeText(window.first);
  entry.change["last"] = TimeText(window.last);
  return entry;
}

}  // namespace sidecar::ledger
