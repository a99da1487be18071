// sidecar/supervisor/supervisor.h: the wiring of purserd.
#pragma once
#include <functional>
#include <optional>
#include <string>

#include "broker/base/log.h"
#include "broker/ports/clock.h"
#include "sidecar/supervisor/core_roles.h"
#include "sidecar/supervisor/event_loop.h"
#include "sidecar/supervisor/front_door.h"
#include "sidecar/supervisor/journal.h"
#include "sidecar/supervisor/notify.h"
#include "sidecar/supervisor/reload.h"
#include "sidecar/supervisor/status.h"
#include "sidecar/supervisor/stop_file.h"
#include "sidecar/supervisor/teardown.h"
#include "sidecar/supervisor/watchdog.h"
#include "sidecar/supervisor/windows.h"

namespace sidecar::supervisor {

/// Starts the roles, accepts for them, and keeps all of it together. One thread.
class Supervisor {
 public:
  // From fork to the last kConfigured; opening a store of a hundred thousand secrets included.
  static constexpr std::chrono::seconds kStartPatience{30};
  // For broker and dialer, and again for the ledger, to exit after kStop.
  static constexpr std::chrono::seconds kStopPatience{5};
  // For daemon.stopped to become durable.
  static constexpr std::chrono::seconds kLastEntryPatience{3};

  struct Setup {
    std::string config_path;
    std::function<std::expected<SharedConfig, std::vector<std::string>>()> load;
    RoleFactory::Setup roles;
    std::string credentials_directory;  // systemd's, for [seal] kind "systemd-credential"
    std::string notify_socket;
    std::chrono::microseconds watchdog{0};
    PidfdFrom pidfd_from = PidfdFrom::kSocketElsePid;
  };

  Supervisor(EventLoop& loop, const broker::Clock& clock, const broker::Log& log, Setup setup);

  /// Starts everything and returns when purserd accepts connections, or why it cannot.
  broker::Status Start(SharedConfig config);
  /// SIGHUP, an operator's reload: both phases, then tells `done` the report.
  void BeginReload(bool dry_run, const std::function<void(const std::string& report)>& done);
  /// SIGTERM: windows, then broker and dialer, then the last entry, then the ledger; the loop stops
  /// when all are gone. Bounded by the sum of the patiences.
  void BeginStop();
  /// SIGUSR1, or the file that says so (`by` "signal" or "file"): no agent gets anything from now
  /// on. The entry goes to the ledger past the broker, so that it holds even if the broker would
  /// not.
  void StopAgents(const std::string& by);

  [[nodiscard]] std::string StatusReport() const;
  [[nodiscard]] const CoreRoles& core() const { return core_; }
  [[nodiscard]] const Windows& windows() const { return windows_; }
  [[nodiscard]] const FrontDoor& door() const { return door_; }

 private:
  enum class Phase {
    kStarting,
    kServing,
    kStoppingWindows,
    kStoppingRoles,
    kLastEntry,
    kStoppingLedger
  };

  CoreRoles::Hooks CoreHooks();
  Windows::Hooks WindowHooks();
  bool OnStarted(const RoleProcess& role, const std::vector<Finding>& findings);
  void OnRoleMessage(RoleProcess& role, ipc::MessageType type, const ipc::Message& message);
  void OnBrokerAsks(RoleProcess& broker, ipc::MessageType type, const std::string& text);
  void OnCoreDied(RoleKind kind, const std::string& how);
  std::string OnTeardown(const std::string& asked);
  void OnLedgerReplaced();
  void OnStopFile(bool there);
  void OnReloaded(const ReloadOutcome& outcome, const SharedConfig& committed);
  broker::Status WaitUntilReady();
  broker::ledger::Entry DaemonEntry(broker::ledger::EntryType type) const;
  void AdvanceStop();
  void StopRoles(std::initializer_list<RoleKind> kinds);

  EventLoop& loop_;
  const broker::Clock& clock_;
  const broker::Log& log_;
  Setup setup_;
  broker::Clock::Steady started_;
  SharedConfig config_;
  Phase phase_ = Phase::kStarting;
  TeardownPhase teardown_ = TeardownPhase::kNone;
  std::optional<std::string> start_fault_;
  FindingsByRole findings_;
  Notifier notifier_;
  Journal journal_;
  RoleFactory factory_;
  CoreRoles core_;
  Windows windows_;
  FrontDoor door_;
  Reload reload_;
  Watchdog watchdog_;
  StopFile stop_file_;
  EventLoop::Watch patience_;
  EventLoop::Watch end_;  // of a torn down instance: behind the answer
};

}  // namespace sidecar::supervisor
