#include "sidecar/supervisor/windows.h"

#include <algorithm>

namespace sidecar::supervisor {

using ipc::MessageType;

RoleProcess* Windows::Get(const std::string& key) const {
  const auto window = windows_.find(key);
  return window == windows_.end() ? nullptr : window->second.process.get();
}

RoleProcess* Windows::Acquire(const std::string& key, const broker::policy::Config& config) {
  Window& window = windows_[key];
  if (window.stopping) return nullptr;
  if (window.process) return window.process.get();
  if (clock_.Now() < window.not_before) return nullptr;

  RoleProcess::Name name{RoleKind::kWindow, IsAdminKey(key) ? "" : key, IsAdminKey(key)};
  RoleProcess::Callbacks callbacks{
      [this, key](RoleProcess& role, MessageType type, ipc::Message& message) {
        OnMessage(key, role, type, message);
      },
      [this, key](RoleProcess&, const std::string& how) { OnDied(key, how); }};
  auto started = factory_.Start(name, config, std::move(callbacks));
  if (!started) {
    log_.Error("window_not_started", {{"why", started.error().detail}});
    window.not_before = clock_.Now() + window.backoff.Died(clock_.Now());
    if (name.admin) windows_.erase(key);
    return nullptr;
  }
  window.process = std::move(*started);
  log_.Info("role_started",
            {{"of", "window"}, {"agent", name.agent}, {"pid", window.process->pid()}});
  if (!name.admin) GiveReader(key, *window.process);
  return window.process.get();
}

void Windows::GiveReader(const std::string& key, RoleProcess& window) {
  RoleProcess* ledger = hooks_.ledger();
  if (ledger == nullptr) return;  // GiveReaders follows when it is back
  auto pair = ipc::MakePair();
  if (!pair) return log_.Error("channel_failed", {{"why", pair.error().detail}});
  ledger->Tell(MessageType::kReaderChannel, key, {pair->first.get()});
  window.Tell(MessageType::kReaderChannel, key, {pair->second.get()});
}

void Windows::GiveReaders() {
  for (auto& [key, window] : windows_) {
    if (window.process && !IsAdminKey(key)) GiveReader(key, *window.process);
  }
}

void Windows::Stop(const std::string& key) {
  const auto found = windows_.find(key);
  if (found == windows_.end() || found->second.stopping) return;
  Window& window = found->second;
  if (!window.process) {
    windows_.erase(found);
    return;
  }
  window.stopping = true;
  window.process->Tell(MessageType::kStop);
  window.patience = loop_.After(kPatience, [this, key] {
    if (RoleProcess* late = Get(key)) late->Kill();
  });
}

void Windows::StopAll() {
  std::vector<std::string> keys;
  keys.reserve(windows_.size());
  for (const auto& entry : windows_) keys.push_back(entry.first);
  for (const std::string& key : keys) Stop(key);
}

void Windows::OnMessage(const std::string& key, RoleProcess& role, MessageType type,
                        const ipc::Message& message) {
  const auto text = ipc::DecodeText(message.bytes);
  if (!text || !message.fds.empty()) return role.Kill();
  if (type == MessageType::kStopped || type == MessageType::kWatchdog) return;
  // A window has nothing else to say: it may be its agent who speaks.
  if (type != MessageType::kStarted || role.started) return role.Kill();
  const auto findings = ParseFindings(text->text);
  if (!findings || !hooks_.started(role, *findings)) return role.Kill();
  role.started = true;
  Window& window = windows_.at(key);
  window.backoff.Started(clock_.Now());
  if (window.restarts > 0) RecordRestart(key, window);
  hooks_.ready(key);
}

void Windows::RecordRestart(const std::string& key, const Window& window) {
  broker::ledger::Entry entry{.type = broker::ledger::EntryType::kRoleRestarted,
                              .outcome = broker::ledger::Outcome::kSuccess};
  entry.agent = key;
  entry.change["role"] = std::string(NameOf(RoleKind::kWindow));
  entry.change["end"] = window.last_end;
  entry.change["count"] = int64_t{window.restarts};
  hooks_.record(std::move(entry));
}

void Windows::OnDied(const std::string& key, const std::string& how) {
  const auto found = windows_.find(key);
  Window& window = found->second;
  window.process.reset();
  if (window.stopping || IsAdminKey(key)) {
    windows_.erase(found);
  } else {
    log_.Error("role_died", {{"of", "window"}, {"agent", key}, {"end", how}});
    window.last_end = how;
    ++window.restarts;
    window.not_before = clock_.Now() + window.backoff.Died(clock_.Now());
  }
  hooks_.died(std::string(key));
}

bool Windows::empty() const { return running().empty(); }

std::vector<const RoleProcess*> Windows::running() const {
  std::vector<const RoleProcess*> list;
  for (const auto& entry : windows_) {
    if (entry.second.process) list.push_back(entry.second.process.get());
  }
  return list;
}

uint32_t Windows::restarts(const std::string& key) const {
  const auto window = windows_.find(key);
  return window == windows_.end() ? 0 : window->second.restarts;
}

}  // namespace sidecar::supervisor
