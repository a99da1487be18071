// sidecar/supervisor/role_process.h: one life of one role, from fork to reaping.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "broker/ports/clock.h"
#include "sidecar/ipc/messages.h"
#include "sidecar/supervisor/event_loop.h"
#include "sidecar/supervisor/layout.h"
#include "sidecar/supervisor/spawn.h"
#include "sidecar/supervisor/token_bucket.h"

namespace sidecar::supervisor {

/// Owns the child and its control channel. Everything is non-blocking: a role that does not read,
/// or sends what it may not send, is killed, and `died` follows. Not thread-safe.
class RoleProcess {
 public:
  // A role speaks on this channel when it starts, for a reload or a ping. The broker's questions
  // are not counted: as many come as agents and operators ask for, and it waits for each answer.
  static constexpr double kMessagesPerSecond = 50;
  static constexpr double kMessageBurst = 200;

  struct Name {
    RoleKind kind = RoleKind::kWindow;
    std::string agent;  // windows only; empty for an admin window
    bool admin = false;
  };
  struct Callbacks {
    std::function<void(RoleProcess&, ipc::MessageType, ipc::Message&)> message;
    /// "status 1", "signal 9". The receiver may destroy the process.
    std::function<void(RoleProcess&, const std::string& how)> died;
  };

  /// Forks and executes `request`, whose control field is filled in here. Errors: kUnavailable.
  static broker::Result<std::unique_ptr<RoleProcess>> Start(EventLoop& loop,
                                                            const broker::Clock& clock, Name name,
                                                            SpawnRequest request,
                                                            Callbacks callbacks);
  /// Kills and reaps what still runs.
  ~RoleProcess();
  RoleProcess(const RoleProcess&) = delete;
  RoleProcess& operator=(const RoleProcess&) = delete;

  /// Sends or, when the queue is full, kills the role.
  void Tell(ipc::MessageType type, std::string_view text = {}, const std::vector<int>& fds = {});
  /// Sends a kConnection; false when the queue is full, which costs only this connection.
  bool Offer(const ipc::Connection& connection, const std::vector<int>& fds);
  void Kill();

  [[nodiscard]] const Name& name() const { return name_; }
  [[nodiscard]] pid_t pid() const { return child_.pid; }
  [[nodiscard]] broker::Clock::Steady since() const { return since_; }

  bool started = false;     // kStarted came
  bool configured = false;  // kConfigured came, and was empty
  bool answered = true;     // the last kPing was answered

 private:
  RoleProcess(const broker::Clock& clock, Name name, Callbacks callbacks);
  void OnControl();
  bool TakeMessage();
  void OnExit();

  const broker::Clock& clock_;
  Name name_;
  Callbacks callbacks_;
  Child child_;
  ipc::Fd control_;
  ipc::Message message_;
  TokenBucket chatter_{kMessagesPerSecond, kMessageBurst};
  broker::Clock::Steady since_;
  bool killed_ = false;
  bool reaped_ = false;
  EventLoop::Watch control_watch_;  // after the descriptors: it goes before they close
  EventLoop::Watch exit_watch_;
};

}  // namespace sidecar::supervisor
