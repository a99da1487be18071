// sidecar/supervisor/signals.h: SIGTERM, SIGINT and SIGHUP as events.
#pragma once
#include <functional>

#include "broker/base/result.h"
#include "sidecar/ipc/frame.h"
#include "sidecar/supervisor/event_loop.h"

namespace sidecar::supervisor {

/// Blocks the three and turns them into calls from the loop. Also ignores SIGPIPE: the log's reader
/// may go away. Errors: kUnavailable.
class Signals {
 public:
  broker::Status Open(EventLoop& loop, std::function<void()> stop, std::function<void()> reload);

 private:
  void OnSignal();
  std::function<void()> stop_, reload_;
  ipc::Fd fd_;
  EventLoop::Watch watch_;  // last: it goes before the descriptor closes
};

}  // namespace sidecar::supervisor
