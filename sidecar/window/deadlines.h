// sidecar/window/deadlines.h: when the window must look at which connection by itself. Pure: no
// clock.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>

#include "sidecar/window/timing.h"

namespace sidecar::window {

/// One deadline for each of `kSlots` connections. Setting one costs no more than two stores; all
/// are looked at only when the earliest may have come. Not thread-safe.
template <size_t kSlots>
class DeadlineTable {
 public:
  DeadlineTable() { at_.fill(kNever); }

  void Set(size_t slot, Deadline at) {
    at_[slot] = at;
    earliest_ = std::min(earliest_, at);
  }
  void Clear(size_t slot) { at_[slot] = kNever; }

  /// No deadline is earlier. One that was moved or cleared may leave this too early until Expire.
  [[nodiscard]] Deadline earliest() const { return earliest_; }

  /// Clears each deadline that has come and calls `expired` with its slot; that may set others.
  template <class Expired>
  void Expire(Deadline now, const Expired& expired) {
    if (now < earliest_) return;
    earliest_ = kNever;
    for (size_t slot = 0; slot < kSlots; ++slot) {
      if (at_[slot] > now) {
        earliest_ = std::min(earliest_, at_[slot]);
        continue;
      }
      at_[slot] = kNever;
      expired(slot);
    }
  }

 private:
  std::array<Deadline, kSlots> at_;
  Deadline earliest_ = kNever;
};

}  // namespace sidecar::window
