// broker/wait_until_due.h: a thread that waits for the next thing to do, which may come earlier.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <stop_token>

#include "broker/ports/clock.h"

namespace broker {

/// Waits until the moment that `next_due()` names has come; Steady::max(): there is nothing to do.
/// Asks it again whenever `changes` has been counted up and `changed` notified. Returns true when
/// something is due, false when stopped. REQUIRES: `lock` is held, under which both are changed.
template <typename NextDue>
bool WaitUntilDue(std::unique_lock<std::mutex>& lock, std::condition_variable_any& changed,
                  const uint64_t& changes, const Clock& clock, const std::stop_token& stop,
                  const NextDue& next_due) {
  while (!stop.stop_requested()) {
    const Clock::Steady due = next_due();
    if (due <= clock.Now()) return true;
    const auto is_other = [&changes, seen = changes] { return changes != seen; };
    if (due == Clock::Steady::max()) {
      changed.wait(lock, stop, is_other);
    } else {
      changed.wait_until(lock, stop, due, is_other);
    }
  }
  return false;
}

}  // namespace broker
