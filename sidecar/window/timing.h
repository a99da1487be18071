// sidecar/window/timing.h: how long a window waits for whom.
#pragma once
#include <algorithm>
#include <chrono>

namespace sidecar::window {

struct Timing {
  // An idle connection costs a thread and a few pages; clients reconnect without being asked.
  std::chrono::milliseconds idle{60'000};
  // From the first byte of a request to its last: 64 KiB over a Unix socket take a millisecond.
  std::chrono::milliseconds request{10'000};
  // For the broker, which has its own deadlines (two exchanges with Entra, and the ledger).
  std::chrono::milliseconds answer{90'000};
  // For a peer that does not read its answer.
  std::chrono::milliseconds write{10'000};
  // For the ledger to send a page of the agent's trail.
  std::chrono::milliseconds audit{5'000};
};

using Deadline = std::chrono::steady_clock::time_point;

inline Deadline After(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

/// For poll(2): milliseconds until then, rounded up, never negative.
inline int MillisecondsUntil(Deadline deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::max<int64_t>(0, left.count()));
}

}  // namespace sidecar::window
