// sidecar/supervisor/core_roles.h: ledger, dialer and broker, kept alive and connected.
#pragma once
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/base/log.h"
#include "broker/ledger/entry.h"
#include "sidecar/supervisor/backoff.h"
#include "sidecar/supervisor/findings.h"
#include "sidecar/supervisor/loaded_config.h"
#include "sidecar/supervisor/role_factory.h"

namespace sidecar::supervisor {

/// Starts the three, gives them their channels, configuration and key, and starts them again when
/// they die. Not thread-safe.
class CoreRoles {
 public:
  // Of the reason for a latch, which becomes an argument: a file name and an errno fit.
  static constexpr size_t kMaxLatchBytes = 512;
  static constexpr std::array kKinds{RoleKind::kLedger, RoleKind::kDialer, RoleKind::kBroker};

  struct Hooks {
    /// What a role that works says: a question, or its answer to a reload.
    std::function<void(RoleProcess&, ipc::MessageType, ipc::Message&)> message;
    /// The role started, with these findings. False: not good enough, it is killed.
    std::function<bool(const RoleProcess&, const std::vector<Finding>&)> started;
    /// It is gone; a new one follows unless Stopping() was called.
    std::function<void(RoleKind, const std::string& how)> died;
    /// A ledger is there: the ends of pairs with it for the supervisor itself, and for windows.
    std::function<void()> ledger_replaced;
    std::function<void(broker::ledger::Entry)> record;
    /// The keys of [seal], opened anew; none where there is none to open.
    std::function<broker::Result<std::vector<SealKey>>()> open_keys;
  };

  CoreRoles(EventLoop& loop, const broker::Clock& clock, const broker::Log& log,
            RoleFactory& factory, Hooks hooks)
      : loop_(loop), clock_(clock), log_(log), factory_(factory), hooks_(std::move(hooks)) {}

  /// Starts all three. Errors: kUnavailable, kInvalidRequest (the key).
  broker::Status Start(SharedConfig config);
  /// What new lives get from now on.
  void Adopt(SharedConfig config) { config_ = std::move(config); }

  /// Null while it is dead.
  [[nodiscard]] RoleProcess* Get(RoleKind kind) const {
    return slots_.at(Index(kind)).process.get();
  }
  /// Started, configured and committed.
  [[nodiscard]] bool Ready(RoleKind kind) const;
  [[nodiscard]] bool AllReady() const;
  [[nodiscard]] uint32_t restarts(RoleKind kind) const { return slots_.at(Index(kind)).restarts; }
  /// Deaths are final from now on.
  void Stopping() { stopping_ = true; }
  /// Sends the broker every key there is; it takes the first that opens its store.
  /// Errors: kInvalidRequest (there is none, and none was kept).
  broker::Status OfferKeys();
  /// What was kept to open the store is gone.
  void ForgetKeys() {
    kept_key_.Reset();
    kept_next_key_.Reset();
  }
  /// Sends kConfigure to the broker or kHosts to the dialer.
  void Configure(RoleKind kind, const LoadedConfig& config);

 private:
  struct Slot {
    std::unique_ptr<RoleProcess> process;
    Backoff backoff;
    uint32_t restarts = 0;
    std::string last_end;
    EventLoop::Watch restart;
  };
  static size_t Index(RoleKind kind) { return static_cast<size_t>(kind); }
  broker::Status StartOne(RoleKind kind);
  void Restart(RoleKind kind);
  void ScheduleRestart(RoleKind kind);
  void Connect(RoleKind kind);
  void Pair(RoleKind a, ipc::MessageType to_a, RoleKind b, ipc::MessageType to_b);
  void Keep(const std::string& which, ipc::Fd key);
  void OnMessage(RoleProcess& role, ipc::MessageType type, ipc::Message& message);
  void OnStarted(RoleProcess& role, const std::string& findings);
  void OnConfigured(RoleProcess& role, const std::string& fault);
  void OnDied(RoleKind kind, const std::string& how);
  void CheckReady(RoleProcess& role);

  EventLoop& loop_;
  const broker::Clock& clock_;
  const broker::Log& log_;
  RoleFactory& factory_;
  Hooks hooks_;
  SharedConfig config_;
  // memfd_secrets of the broker, never mapped here. Two while the seal is rotated: until the broker
  // says which, either may be the one that opens the store.
  ipc::Fd kept_key_, kept_next_key_;
  bool kept_is_next_ = false;  // the first of them is the key of the file "next"
  // The ledger's own word: a latch outlives its process, and ends by a resume or with the daemon.
  std::string ledger_latch_;
  bool stopping_ = false;
  std::array<Slot, kKinds.size()> slots_;
};

}  // namespace sidecar::supervisor
