// sidecar/supervisor/backoff.h: how long a dead role stays dead.
#pragma once
#include <algorithm>
#include <chrono>
#include <utility>

#include "broker/ports/clock.h"

namespace sidecar::supervisor {

/// Pure: moments are arguments.
class Backoff {
 public:
  using Steady = broker::Clock::Steady;
  // Short enough that a client's retry finds the role back.
  static constexpr std::chrono::milliseconds kFirst{20};
  // Long enough that a role which cannot start does not fill the log or the processor.
  static constexpr std::chrono::milliseconds kLongest{5000};
  // Who worked before it died can start: its clients wait for it, and two starts a second are still
  // no burden.
  static constexpr std::chrono::milliseconds kLongestAfterWork{500};
  // A role that worked this long died of something new, not of its start.
  static constexpr std::chrono::milliseconds kStableAfter{1000};

  /// The role said that it works.
  void Started(Steady now) {
    started_ = now;
    running_ = true;
  }
  /// The role died: how long to wait before the next start.
  std::chrono::milliseconds Died(Steady now) {
    if (running_)
      next_ = now - started_ >= kStableAfter ? kFirst : std::min(next_, kLongestAfterWork);
    running_ = false;
    return std::exchange(next_, std::min(next_ * 2, kLongest));
  }

 private:
  std::chrono::milliseconds next_ = kFirst;
  Steady started_{};
  bool running_ = false;
};

}  // namespace sidecar::supervisor
