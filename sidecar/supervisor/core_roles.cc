#include "sidecar/supervisor/core_roles.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

namespace sidecar::supervisor {
namespace {

using broker::Result, broker::Status;
using ipc::Fd, ipc::MessageType;

bool NeedsConfiguration(RoleKind kind) {
  return kind == RoleKind::kBroker || kind == RoleKind::kDialer;
}

// A descriptor of its own file offset: the last receiver may have read this one to its end.
Fd Reopen(const Fd& file) {
  const std::string path = "/proc/self/fd/" + std::to_string(file.get());
  return Fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

// The text of a message, or nothing if it is malformed.
std::optional<std::string> TextOf(const ipc::Message& message) {
  auto text = ipc::DecodeText(message.bytes);
  if (!text) return std::nullopt;
  return std::move(text->text);
}

}  // namespace

Status CoreRoles::Start(SharedConfig config) {
  config_ = std::move(config);
  for (const RoleKind kind : kKinds) {
    if (Status started = StartOne(kind); !started) return started;
  }
  return {};
}

bool CoreRoles::Ready(RoleKind kind) const {
  const RoleProcess* role = Get(kind);
  return role != nullptr && role->started && (role->configured || !NeedsConfiguration(kind));
}

bool CoreRoles::AllReady() const {
  return std::ranges::all_of(kKinds, [this](RoleKind kind) { return Ready(kind); });
}

Status CoreRoles::StartOne(RoleKind kind) {
  RoleProcess::Callbacks callbacks{
      [this](RoleProcess& role, MessageType type, ipc::Message& message) {
        OnMessage(role, type, message);
      },
      [this, kind](RoleProcess&, const std::string& how) { OnDied(kind, how); }};
  const std::string latch = kind == RoleKind::kLedger ? ledger_latch_ : "";
  auto role = factory_.Start({.kind = kind}, config_->config, std::move(callbacks), latch);
  if (!role) return std::unexpected(role.error());
  log_.Info("role_started", {{"of", NameOf(kind)}, {"pid", (*role)->pid()}});
  slots_.at(Index(kind)).process = std::move(*role);
  Connect(kind);
  if (kind == RoleKind::kLedger) hooks_.ledger_replaced();
  if (NeedsConfiguration(kind)) Configure(kind, *config_);
  // A broker that was started while there was no ledger could not compare its store with it.
  return kind == RoleKind::kDialer ? Status{} : OfferKeys();
}

void CoreRoles::Connect(RoleKind kind) {
  using enum RoleKind;
  struct Edge {
    RoleKind a;
    MessageType to_a;
    RoleKind b;
    MessageType to_b;
  };
  constexpr std::array kEdges{
      Edge{kBroker, MessageType::kLedgerChannel, kLedger, MessageType::kBrokerChannel},
      Edge{kBroker, MessageType::kDialerChannel, kDialer, MessageType::kBrokerChannel},
      Edge{kDialer, MessageType::kLedgerChannel, kLedger, MessageType::kDialerChannel},
  };
  for (const Edge& edge : kEdges) {
    if (edge.a == kind || edge.b == kind) Pair(edge.a, edge.to_a, edge.b, edge.to_b);
  }
}

void CoreRoles::Pair(RoleKind a, MessageType to_a, RoleKind b, MessageType to_b) {
  RoleProcess* first = Get(a);
  RoleProcess* second = Get(b);
  if (first == nullptr || second == nullptr) return;  // the later one to start makes the pair
  auto pair = ipc::MakePair();
  if (!pair) return log_.Error("channel_failed", {{"why", pair.error().detail}});
  first->Tell(to_a, {}, {pair->first.get()});
  second->Tell(to_b, {}, {pair->second.get()});
}

void CoreRoles::Configure(RoleKind kind, const LoadedConfig& config) {
  RoleProcess* role = Get(kind);
  if (role == nullptr) return;
  if (kind == RoleKind::kDialer) return role->Tell(MessageType::kHosts, config.hosts);
  const Fd bundle = Reopen(config.bundle);
  const Fd ca_bundle = Reopen(config.ca_bundle);
  role->Tell(MessageType::kConfigure, {}, {bundle.get(), ca_bundle.get()});
}

Status CoreRoles::OfferKeys() {
  RoleProcess* broker = Get(RoleKind::kBroker);
  if (broker == nullptr) return {};
  const bool kept = kept_key_.valid();
  if (kept) {
    broker->Tell(MessageType::kUnseal, kept_is_next_ ? "kept-next" : "kept", {kept_key_.get()});
  }
  if (kept_next_key_.valid()) {
    broker->Tell(MessageType::kUnseal, "kept-next", {kept_next_key_.get()});
  }
  auto keys = hooks_.open_keys();
  // A key file that is only there while the daemon starts is a good habit.
  if (!keys) return kept ? Status{} : std::unexpected(keys.error());
  for (const SealKey& key : *keys) broker->Tell(MessageType::kUnseal, key.kind, {key.file.get()});
  return {};
}

void CoreRoles::Keep(const std::string& which, Fd key) {
  if (which == "next") {
    kept_next_key_ = std::move(key);
  } else {
    kept_key_ = std::move(key);
    kept_next_key_ = Fd();
    kept_is_next_ = which == "as-next";
  }
}

void CoreRoles::OnMessage(RoleProcess& role, MessageType type, ipc::Message& message) {
  const auto text = TextOf(message);
  if (text && type == MessageType::kKeepUnsealed && role.name().kind == RoleKind::kBroker &&
      message.fds.size() == 1) {
    return Keep(*text, std::move(message.fds.front()));
  }
  if (!text || !message.fds.empty()) return role.Kill();
  if (type == MessageType::kStarted && !role.started) return OnStarted(role, *text);
  if (type == MessageType::kConfigured && !role.configured) return OnConfigured(role, *text);
  if (type == MessageType::kLatched && role.name().kind == RoleKind::kLedger) {
    ledger_latch_ = text->substr(0, kMaxLatchBytes);
    return;
  }
  if (type == MessageType::kWatchdog) {
    role.answered = true;
    return;
  }
  hooks_.message(role, type, message);
}

void CoreRoles::OnStarted(RoleProcess& role, const std::string& text) {
  const auto findings = ParseFindings(text);
  if (!findings || !hooks_.started(role, *findings)) return role.Kill();
  role.started = true;
  CheckReady(role);
}

void CoreRoles::OnConfigured(RoleProcess& role, const std::string& fault) {
  if (!fault.empty()) {
    log_.Error(
        "role_not_configured",
        {{"of", NameOf(role.name().kind)}, {"why", fault}, {"remedy", "purser config check"}});
    return role.Kill();
  }
  role.Tell(MessageType::kCommitConfig);
  role.configured = true;
  CheckReady(role);
}

void CoreRoles::CheckReady(RoleProcess& role) {
  const RoleKind kind = role.name().kind;
  if (!Ready(kind)) return;
  Slot& slot = slots_.at(Index(kind));
  slot.backoff.Started(clock_.Now());
  if (slot.restarts == 0) return;
  broker::ledger::Entry entry{.type = broker::ledger::EntryType::kRoleRestarted,
                              .outcome = broker::ledger::Outcome::kSuccess};
  entry.change["role"] = std::string(NameOf(kind));
  entry.change["end"] = slot.last_end;
  entry.change["count"] = int64_t{slot.restarts};
  hooks_.record(std::move(entry));
}

void CoreRoles::OnDied(RoleKind kind, const std::string& how) {
  Slot& slot = slots_.at(Index(kind));
  slot.process.reset();
  slot.last_end = how;
  if (!stopping_) {
    log_.Error("role_died", {{"of", NameOf(kind)}, {"end", how}});
    ScheduleRestart(kind);
  }
  hooks_.died(kind, how);
}

void CoreRoles::ScheduleRestart(RoleKind kind) {
  Slot& slot = slots_.at(Index(kind));
  slot.restart = loop_.After(slot.backoff.Died(clock_.Now()), [this, kind] { Restart(kind); });
}

void CoreRoles::Restart(RoleKind kind) {
  if (stopping_) return;
  ++slots_.at(Index(kind)).restarts;
  const Status started = StartOne(kind);
  if (started) return;
  log_.Error("role_not_started", {{"of", NameOf(kind)},
                                  {"why", started.error().detail},
                                  {"remedy", "purser doctor; it is tried again"}});
  // A broker without its key still serves: it says that it is sealed.
  if (Get(kind) == nullptr) ScheduleRestart(kind);
}

}  // namespace sidecar::supervisor
