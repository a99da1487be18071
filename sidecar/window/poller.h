// sidecar/window/poller.h: which of the window's descriptors have something to say.
#pragma once
#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "sidecar/ipc/frame.h"

namespace sidecar::window {

/// What a descriptor belongs to.
struct Watched {
  enum class Kind : uint8_t { kControl, kAudit, kPeer, kPair };
  Kind kind = Kind::kControl;
  uint32_t slot = 0;  // of the connection; kPeer and kPair only
};

/// An epoll set, level-triggered: what was not read is reported again, so that nothing is lost
/// however a peer cuts what it sends. A descriptor is registered once and changed only where its
/// owner has no use for what it reports. Not thread-safe.
class Poller {
 public:
  struct Event {
    Watched watched;
    uint32_t what = 0;  // EPOLLIN, …
  };
  // One round; what is left is reported first in the next.
  static constexpr size_t kEventsPerRound = 64;

  Poller() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

  /// False if the kernel lacks memory for it.
  bool Add(int fd, uint32_t interest, Watched watched) const;
  void Change(int fd, uint32_t interest, Watched watched) const;
  /// Before closing, always: another process may hold the same file open, and an epoll set keeps
  /// reporting it.
  void Remove(int fd) const { epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }
  /// What happened, after at most `timeout_ms` (-1: as long as it takes). Valid until the next
  /// call.
  std::span<const Event> Wait(int timeout_ms);

 private:
  bool Control(int operation, int fd, uint32_t interest, Watched watched) const;

  ipc::Fd epoll_;
  std::array<epoll_event, kEventsPerRound> raw_{};
  std::array<Event, kEventsPerRound> events_{};
};

}  // namespace sidecar::window
