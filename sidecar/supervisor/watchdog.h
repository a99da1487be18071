// sidecar/supervisor/watchdog.h: the service manager hears that all is well only while it is.
#pragma once
#include <chrono>

#include "sidecar/supervisor/core_roles.h"
#include "sidecar/supervisor/event_loop.h"
#include "sidecar/supervisor/notify.h"

namespace sidecar::supervisor {

/// Asks broker, ledger and dialer in turn of a quarter of the period, and passes on that all three
/// have answered: one missed turn, as during a restart, is not yet the end. Not thread-safe.
class Watchdog {
 public:
  Watchdog(EventLoop& loop, CoreRoles& core, Notifier& notifier)
      : loop_(loop), core_(core), notifier_(notifier) {}
  /// Zero: there is no watchdog.
  void Start(std::chrono::microseconds period);

 private:
  void Turn();
  EventLoop& loop_;
  CoreRoles& core_;
  Notifier& notifier_;
  std::chrono::microseconds interval_{0};
  EventLoop::Watch timer_;
};

}  // namespace sidecar::supervisor
