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

// Of a refused connection: which selector, or what else.
std::string FaultOf(const Entry& entry) {
  const auto fault = entry.change.find("fault");
  const auto* text =
      fault == entry.change.end() ? nullptr : std::get_if<std::string>(&fault->second);
  return text == nullptr ? std::string() : *text;
}

std::string TimeText(FloodGate::Wall time) {
  std::string text;
  broker::ledger::AppendTime(time, &text);
  return text;
}

}  // namespace

FloodGate::Key FloodGate::KeyOf(const Entry& entry) const {
  const int64_t uid = entry.caller ? int64_t{entry.caller->uid} : -1;
  Key key{entry.type, entry.agent, entry.reason, entry.policy_rule, FaultOf(entry), uid};
  if (windows_.size() >= kMaxKeys && !windows_.contains(key))
    return {entry.type, "", "flood", "", "", -1};
  return key;
}

bool FloodGate::MustCount(const Entry& entry) const {
  if (!IsRefusal(entry.type)) return false;
  const auto window = windows_.find(KeyOf(entry));
  return window != windows_.end() && window->second.written >= kPerWindow;
}

void FloodGate::Wrote(const Entry& entry, Steady now) {
  if (!IsRefusal(entry.type)) return;
  ++windows_.try_emplace(KeyOf(entry), Window{.ends = now + kWindow}).first->second.written;
}

void FloodGate::Count(const Entry& entry, Wall wall) {
  const std::string time = TimeText(wall);
  windows_[KeyOf(entry)].Add(entry, time, time);
}

void FloodGate::Window::Add(const Entry& entry, const std::string& from, const std::string& to) {
  const auto count = entry.change.find("count");
  const int64_t* several =
      count == entry.change.end() ? nullptr : std::get_if<int64_t>(&count->second);
  counted += several != nullptr && *several > 0 ? static_cast<uint64_t>(*several) : 1;
  if (first.empty() || from < first) first = from;
  if (last < to) last = to;
  if (entry.caller) gid = entry.caller->gid;
  for (const std::string& scope : entry.scopes) {
    if (scopes.contains(scope)) continue;
    if (scopes.size() >= kMaxScopes || scope_bytes + scope.size() > kMaxScopeBytes) {
      more_scopes = true;
      continue;
    }
    scope_bytes += scope.size();
    scopes.insert(scope);
  }
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
  Window& window = windows_[KeyOf(count)];
  window.ends = now + kWindow;
  window.written = kPerWindow;
  window.Add(count, std::get<std::string>(count.change.at("first")),
             std::get<std::string>(count.change.at("last")));
  window.more_scopes |= count.change.contains("more_scopes");
}

FloodGate::Steady FloodGate::NextEnd() const {
  Steady next = Steady::max();
  for (const auto& [key, window] : windows_) next = std::min(next, window.ends);
  return next;
}

Entry FloodGate::EntryOf(const Key& key, const Window& window) {
  const auto& [type, agent, reason, rule, fault, uid] = key;
  Entry entry{.type = type, .outcome = Outcome::kFailure, .reason = reason, .agent = agent};
  entry.policy_rule = rule;
  if (uid >= 0) {
    entry.caller.emplace();
    entry.caller->uid = static_cast<uint32_t>(uid);
    entry.caller->gid = window.gid;
  }
  if (!fault.empty()) entry.change["fault"] = fault;
  entry.change["count"] = static_cast<int64_t>(window.counted);
  entry.change["first"] = window.first;
  entry.change["last"] = window.last;
  entry.scopes.assign(window.scopes.begin(), window.scopes.end());
  if (window.more_scopes) entry.change["more_scopes"] = int64_t{1};
  return entry;
}

}  // namespace sidecar::ledger
