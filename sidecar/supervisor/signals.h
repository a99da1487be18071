// sidecar/supervisor/signals.h: SIGTERM, SIGINT, SIGHUP and SIGUSR1 as events.
#pragma once
#include <functional>

#include "broker/base/result.h"
#include "sidecar/ipc/frame.h"
#include "sidecar/supervisor/event_loop.h"

namespace sidecar::supervisor {

/// Blocks the four and turns them into calls from the loop. Also ignores SIGPIPE: the log's reader
/// may go away. Errors: kUnavailable.
class Signals {
 public:
  struct Handlers {
    std::function<void()> stop;         // SIGTERM, SIGINT
    std::function<void()> reload;       // SIGHUP
    std::function<void()> stop_agents;  // SIGUSR1
  };
  broker::Status Open(EventLoop& loop, Handlers handlers);

 private:
  void OnSignal();
  Handlers handlers_;
  ipc::Fd fd_;
  EventLoop::Watch watch_;  // last: it goes before the descriptor closes
};

}  // namespace sidecar::supervisor
