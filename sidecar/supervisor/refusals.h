// sidecar/supervisor/refusals.h: saying no to a peer without reading a byte of it.
#pragma once
#include <cstdint>
#include <map>
#include <string_view>

#include "sidecar/ipc/frame.h"
#include "sidecar/supervisor/event_loop.h"

namespace sidecar::supervisor {

/// Writes fixed answers and lets the peers read them: a socket closed at once would reset a client
/// that is still writing its request. Not thread-safe.
class Refusals {
 public:
  // A client that wants the answer has it by then.
  static constexpr std::chrono::milliseconds kLinger{1000};
  // Beyond these a refused peer is closed at once; strangers get no more of the descriptors.
  static constexpr size_t kMaxLingering = 64;

  explicit Refusals(EventLoop& loop) : loop_(loop) {}

  /// Never blocks. The socket is closed when the peer hangs up or kLinger has passed.
  void Answer(ipc::Fd socket, std::string_view answer);

 private:
  struct Lingering {
    ipc::Fd socket;
    EventLoop::Watch hang_up, deadline;  // last: they go before the socket closes
  };
  EventLoop& loop_;
  uint64_t next_ = 1;
  std::map<uint64_t, Lingering> lingering_;
};

}  // namespace sidecar::supervisor
