#include "sidecar/supervisor/supervisor.h"

#include <utility>

#include "sidecar/ipc/control.h"
#include "sidecar/ipc/questions.h"
#include "sidecar/supervisor/named_files.h"

namespace sidecar::supervisor {
namespace {

using broker::ErrorCode, broker::Fail, broker::Status;
using broker::ledger::Entry, broker::ledger::EntryType, broker::ledger::Outcome;
using ipc::MessageType;

}  // namespace

Supervisor::Supervisor(EventLoop& loop, const broker::Clock& clock, const broker::Log& log,
                       Setup setup)
    : loop_(loop),
      clock_(clock),
      log_(log),
      setup_(std::move(setup)),
      started_(clock.Now()),
      notifier_(setup_.notify_socket),
      journal_(loop, log),
      factory_(loop, clock, std::move(setup_.roles)),
      core_(loop, clock, log, factory_, CoreHooks()),
      windows_(loop, clock, log, factory_, WindowHooks()),
      door_({loop, clock, log, journal_, core_, windows_}, setup_.pidfd_from),
      reload_({loop, core_, door_, setup_.load}),
      watchdog_(loop, core_, notifier_),
      stop_file_(loop, log, [this](bool there) { OnStopFile(there); }) {}

CoreRoles::Hooks Supervisor::CoreHooks() {
  return {.message = [this](RoleProcess& role, MessageType type,
                            ipc::Message& message) { OnRoleMessage(role, type, message); },
          .started = [this](const RoleProcess& role,
                            const std::vector<Finding>& found) { return OnStarted(role, found); },
          .died = [this](RoleKind kind, const std::string& how) { OnCoreDied(kind, how); },
          .ledger_replaced = [this] { OnLedgerReplaced(); },
          .record = [this](Entry entry) { journal_.Record(std::move(entry)); },
          .open_keys =
              [this] { return OpenSealKeys(config_->config.seal, setup_.credentials_directory); }};
}

Windows::Hooks Supervisor::WindowHooks() {
  return {.started = [this](const RoleProcess& role,
                            const std::vector<Finding>& found) { return OnStarted(role, found); },
          .ready = [this](const std::string& key) { door_.OnWindowReady(key); },
          .died =
              [this](const std::string& key) {
                door_.OnWindowDied(key);
                AdvanceStop();
              },
          .ledger = [this] { return core_.Get(RoleKind::kLedger); },
          .record = [this](Entry entry) { journal_.Record(std::move(entry)); }};
}

Status Supervisor::Start(SharedConfig config) {
  config_ = std::move(config);
  auto listeners = OpenListeners(config_->config, {});
  if (!listeners) return std::unexpected(listeners.error());
  if (Status started = core_.Start(config_); !started) return started;
  if (Status ready = WaitUntilReady(); !ready) return ready;

  phase_ = Phase::kServing;
  journal_.Record(DaemonEntry(EntryType::kDaemonStarted));
  stop_file_.Watch(config_->config.paths.state + "/" + std::string(ipc::kStopFile));
  door_.Adopt(config_, std::move(*listeners));
  notifier_.Ready();
  watchdog_.Start(setup_.watchdog);
  log_.Info("ready", {{"version", PURSER_VERSION},
                      {"config", config_->config.sha256},
                      {"agents", config_->config.agents.size()}});
  return {};
}

Status Supervisor::WaitUntilReady() {
  bool late = false;
  const auto deadline = loop_.After(kStartPatience, [&late] { late = true; });
  while (!core_.AllReady() && !start_fault_ && !late) loop_.RunOnce(kStartPatience);
  if (start_fault_) return Fail(ErrorCode::kUnavailable, *start_fault_);
  if (late) return Fail(ErrorCode::kUnavailable, "the roles did not start in time");
  return {};
}

bool Supervisor::OnStarted(const RoleProcess& role, const std::vector<Finding>& findings) {
  const std::string name(NameOf(role.name().kind));
  findings_[name] = findings;
  const bool strict = config_->config.hardening.strict;
  for (const Finding& finding : findings) {
    log_.Warn(
        "hardening_finding",
        {{"of", name}, {"name", finding.name}, {"what", finding.what}, {"remedy", finding.remedy}});
    if (strict && phase_ == Phase::kStarting && !start_fault_) {
      start_fault_ = "purser-" + name + ": " + finding.what + ". To do: " + finding.remedy +
                     "; or write [hardening] minimum = \"weak\" and live with it";
    }
  }
  const bool good = findings.empty() || !strict;
  // One that takes another's place is told before it is asked anything.
  if (good && role.name().kind == RoleKind::kBroker && stop_file_.there()) {
    core_.Get(RoleKind::kBroker)->Tell(MessageType::kStopAgents, "file");
  }
  return good;
}

void Supervisor::OnRoleMessage(RoleProcess& role, MessageType type, const ipc::Message& message) {
  const RoleKind kind = role.name().kind;
  const auto text = ipc::DecodeText(message.bytes);
  if (!text) return role.Kill();
  if (type == MessageType::kStopped) return;
  if (type == MessageType::kConfigured) return reload_.OnConfigured(kind, text->text);
  if (kind == RoleKind::kBroker) return OnBrokerAsks(role, type, text->text);
  role.Kill();  // a role that says what it may not say is no longer ours
}

void Supervisor::OnBrokerAsks(RoleProcess& broker, MessageType type, const std::string& text) {
  if (type == MessageType::kOfferKeys) {
    if (const Status offered = core_.OfferKeys(); !offered) {
      log_.Error("seal_key_missing",
                 {{"why", offered.error().detail},
                  {"remedy", "put the key of [seal] in its place, or: purser unseal"}});
    }
    return;
  }
  const auto question = ipc::DecodeNumbered(text);
  if (!question) return broker.Kill();
  const auto answer = [&](MessageType as, const std::string& said, const std::vector<int>& fds) {
    broker.Tell(as, ipc::Encode(ipc::Numbered{question->number, said}), fds);
  };
  if (type == MessageType::kStatusQuery) {
    answer(MessageType::kStatusReport, StatusReport(), {});
  } else if (type == MessageType::kReloadRequest &&
             (question->text.empty() || question->text == "dry-run")) {
    const bool dry_run = question->text == "dry-run";
    BeginReload(dry_run, [this, number = question->number](const std::string& report) {
      if (RoleProcess* asker = core_.Get(RoleKind::kBroker)) {
        asker->Tell(MessageType::kReloadReport, ipc::Encode(ipc::Numbered{number, report}));
      }
    });
  } else if (type == MessageType::kOpenFile) {
    const auto file = OpenNamedFile(config_->config, question->text);
    file ? answer(MessageType::kOpenedFile, {}, {file->get()})
         : answer(MessageType::kOpenedFile, ipc::TextOf(file.error()), {});
  } else if (type == MessageType::kDestroyKeys) {
    answer(MessageType::kKeysDestroyed, OnTeardown(question->text), {});
  } else {
    broker.Kill();
  }
}

void Supervisor::OnCoreDied(RoleKind kind, const std::string& how) {
  if (phase_ == Phase::kStarting && !start_fault_) {
    start_fault_ = "purser-" + std::string(NameOf(kind)) + " ended with " + how +
                   " before it was ready; what it logged says why";
  }
  reload_.OnDied(kind);
  // Nothing is left for a successor to open: what is to be done yet is done without one.
  if (kind == RoleKind::kBroker && teardown_ == TeardownPhase::kDestroying) BeginStop();
  AdvanceStop();
}

void Supervisor::OnLedgerReplaced() {
  auto pair = ipc::MakePair();
  if (!pair) return log_.Error("channel_failed", {{"why", pair.error().detail}});
  core_.Get(RoleKind::kLedger)->Tell(MessageType::kSupervisorChannel, {}, {pair->second.get()});
  journal_.Attach(std::move(pair->first));
  windows_.GiveReaders();
}

Entry Supervisor::DaemonEntry(EntryType type) const {
  Entry entry{.type = type, .outcome = Outcome::kSuccess};
  entry.policy_sha256 = config_->config.sha256;
  const auto& hardening = config_->config.hardening;
  entry.change["version"] = std::string(PURSER_VERSION);
  entry.change["hardening"] = std::string(hardening.strict ? "strict" : "weak");
  if (hardening.allow_same_uid) entry.change["allow_same_uid"] = std::string("true");
  std::string names;
  for (const auto& [role, findings] : findings_) {
    for (const Finding& finding : findings) names += (names.empty() ? "" : " ") + finding.name;
  }
  if (!names.empty()) entry.change["findings"] = names;
  return entry;
}

std::string Supervisor::StatusReport() const {
  return StatusJson(
      {setup_.config_path, *config_, core_, windows_, door_, journal_, findings_, started_},
      clock_.Now());
}

}  // namespace sidecar::supervisor
