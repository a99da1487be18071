// Supervisor's reload and stop: what happens between ready and gone.
#include <utility>

#include "broker/base/strict_json.h"
#include "sidecar/supervisor/supervisor.h"

namespace sidecar::supervisor {

using broker::ledger::Entry, broker::ledger::EntryType, broker::ledger::Outcome;
using ipc::MessageType;
using nlohmann::json;

namespace {

Entry PolicyChanged(const ReloadOutcome& outcome) {
  Entry entry{.type = EntryType::kPolicyChanged, .outcome = Outcome::kSuccess};
  entry.policy_sha256 = outcome.new_sha256;
  entry.change["old_sha256"] = outcome.old_sha256;
  entry.change["new_sha256"] = outcome.new_sha256;
  return entry;
}

}  // namespace

void Supervisor::BeginReload(bool dry_run,
                             const std::function<void(const std::string& report)>& done) {
  if (phase_ != Phase::kServing) {
    if (done) done(ToJson({.dry_run = dry_run, .errors = {"purserd is starting or stopping"}}));
    return;
  }
  if (!dry_run) notifier_.Reloading();
  reload_.Begin(config_, dry_run,
                [this, done](const ReloadOutcome& outcome, const SharedConfig& committed) {
                  OnReloaded(outcome, committed);
                  if (done) done(ToJson(outcome));
                });
}

void Supervisor::OnReloaded(const ReloadOutcome& outcome, const SharedConfig& committed) {
  if (outcome.dry_run) return;
  for (const std::string& error : outcome.errors) {
    log_.Error("reload_refused",
               {{"why", error}, {"remedy", "mend it, then: purser config check && purser reload"}});
  }
  if (committed != nullptr) {
    config_ = committed;
    log_.Info("reloaded", {{"config", outcome.new_sha256}});
    if (outcome.new_sha256 != outcome.old_sha256) journal_.Record(PolicyChanged(outcome));
  }
  notifier_.Ready();
}

void Supervisor::StopAgents(const std::string& by) {
  Entry entry{.type = EntryType::kKillEngaged, .outcome = Outcome::kSuccess};
  entry.policy_sha256 = config_->config.sha256;
  entry.change["by"] = by;
  journal_.RecordFirst(std::move(entry));
  if (RoleProcess* broker = core_.Get(RoleKind::kBroker)) {
    broker->Tell(MessageType::kStopAgents, by == "file" ? by : std::string());
  }
  log_.Warn("agents_stopped",
            {{"by", by}, {"remedy", "when all is well: purser release --all --why TEXT"}});
}

void Supervisor::OnStopFile(bool there) {
  if (there) return StopAgents("file");
  if (RoleProcess* broker = core_.Get(RoleKind::kBroker)) {
    broker->Tell(MessageType::kStopAgents, "file-gone");
  }
  log_.Info("stop_file_gone", {{"remedy", "agents stay stopped until: purser release --all"}});
}

// That one was begun outlives the store, and whatever is put in its place. When the broker has done
// its part, what opens the store is destroyed with the note of it written before, and when the
// ledger has its last entry the daemon ends.
std::string Supervisor::OnTeardown(const std::string& asked) {
  const auto body = broker::ParseStrictJson(asked);
  const json step = body && body->is_object() ? body->value("step", json()) : json();
  auto note = ReadTeardown(config_->config.paths);
  if (!note) return json{{"error", note.error().detail}}.dump();
  if (step == "look") return json{{"begun", note->phase != TeardownPhase::kNone}}.dump();
  const bool begins = step == "begin" && note->phase <= TeardownPhase::kBegun;
  const bool closes = step == "close" && note->phase == TeardownPhase::kDestroying;
  const bool destroys = step == "destroy" && note->phase != TeardownPhase::kClosed;
  if (phase_ != Phase::kServing || (!begins && !destroys && !closes)) {
    return json{{"error", "purserd is not at this step"}}.dump();
  }
  const bool again = note->phase == TeardownPhase::kBegun;
  if (begins) {
    note->phase = TeardownPhase::kBegun;
  } else if (closes) {
    note->ledger = body->value("ledger", json());
    note->phase = TeardownPhase::kClosed;
  } else {
    note->phase = TeardownPhase::kDestroying;
    note->report = body->value("report", json());
  }
  if (const auto noted = WriteTeardown(config_->config.paths, *note); !noted) {
    return json{{"error", noted.error().detail}}.dump();
  }
  teardown_ = note->phase;
  log_.Warn("teardown", {{"step", step.get<std::string>()},
                         {"remedy", "none: it was asked for; see the ledger"}});
  if (begins) return json{{"again", again}}.dump();
  if (closes) {
    end_ = loop_.After({}, [this] { BeginStop(); });
    return json::object().dump();
  }
  core_.ForgetKeys();
  note->destroyed = CarryOutAll(DeedsOf(config_->config));
  note->unreadable = TryToOpen(config_->config, setup_.credentials_directory);
  [[maybe_unused]] const auto kept = WriteTeardown(config_->config.paths, *note);
  return json{{"destroyed", note->destroyed}, {"unreadable", note->unreadable}}.dump(
      -1, ' ', false, json::error_handler_t::replace);
}

void Supervisor::BeginStop() {
  if (phase_ > Phase::kServing) return;
  log_.Info("stopping");
  notifier_.Stopping();
  phase_ = Phase::kStoppingWindows;
  core_.Stopping();
  door_.Shut();
  windows_.StopAll();  // each is bounded by Windows::kPatience
  AdvanceStop();
}

// Called whenever something has gone or a patience has run out. Each phase waits for its own.
void Supervisor::AdvanceStop() {
  if (phase_ == Phase::kStoppingWindows && windows_.empty()) {
    phase_ = Phase::kStoppingRoles;
    StopRoles({RoleKind::kBroker, RoleKind::kDialer});
  }
  if (phase_ == Phase::kStoppingRoles && core_.Get(RoleKind::kBroker) == nullptr &&
      core_.Get(RoleKind::kDialer) == nullptr) {
    phase_ = Phase::kLastEntry;
    const auto next = [this] {
      phase_ = Phase::kStoppingLedger;
      patience_.Reset();
      StopRoles({RoleKind::kLedger});
      AdvanceStop();
    };
    patience_ = loop_.After(kLastEntryPatience, next);
    // A ledger that is closed takes nothing.
    if (teardown_ != TeardownPhase::kClosed) {
      journal_.Record(DaemonEntry(EntryType::kDaemonStopped));
    }
    journal_.WhenDurable(next);
  }
  if (phase_ == Phase::kStoppingLedger && core_.Get(RoleKind::kLedger) == nullptr) {
    patience_.Reset();
    log_.Info("stopped");
    loop_.Stop();
  }
}

void Supervisor::StopRoles(std::initializer_list<RoleKind> kinds) {
  for (const RoleKind kind : kinds) {
    if (RoleProcess* role = core_.Get(kind)) role->Tell(MessageType::kStop);
  }
  patience_ = loop_.After(kStopPatience, [this, list = std::vector<RoleKind>(kinds)] {
    for (const RoleKind kind : list) {
      if (RoleProcess* role = core_.Get(kind)) role->Kill();
    }
  });
}

}  // namespace sidecar::supervisor
