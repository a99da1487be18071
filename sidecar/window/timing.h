// sidecar/window/timing.h: how long a window waits for whom.
#pragma once
#include <algorithm>
#include <chrono>
#include <climits>

namespace sidecar::window {

struct Timing {
  // An idle connection costs a place and a few kilobytes; clients reconnect without being asked.
  std::chrono::milliseconds idle{60'000};
  // From the first byte of a request to its last: 64 KiB over a Unix socket take a millisecond.
  std::chrono::milliseconds request{10'000};
  // For the broker, which has its own deadlines (two exchanges with Entra, and the ledger).
  std::chrono::milliseconds answer{90'000};
  // For a peer that does not read its answer.
  std::chrono::milliseconds write{10'000};
  // For the ledger to send a page of the agent's trail.
  std::chrono::milliseconds audit{5'000};
  // For a refused peer to look at the answer.
  std::chrono::milliseconds linger{1'000};
};

using Deadline = std::chrono::steady_clock::time_point;
inline constexpr Deadline kNever = Deadline::max();

/// For epoll_wait(2): milliseconds from `now` until then, rounded up, never negative; -1 for never.
inline int MillisecondsUntil(Deadline deadline, Deadline now) {
  if (deadline == kNever) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now);
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, INT_MAX));
}

}  // namespace sidecar::window
