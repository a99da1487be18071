#pragma once
#include <mutex>

#include "broker/ports/clock.h"

/// Stands still until told otherwise. Thread-safe.
class FakeClock final : public broker::Clock {
 public:
  Steady Now() const override {
    const std::scoped_lock lock(mutex_);
    return steady_;
  }
  Wall WallNow() const override {
    const std::scoped_lock lock(mutex_);
    return wall_;
  }
  void Advance(std::chrono::nanoseconds by) {
    const std::scoped_lock lock(mutex_);
    steady_ += std::chrono::duration_cast<Steady::duration>(by);
    wall_ += std::chrono::duration_cast<Wall::duration>(by);
  }
  /// As a machine that slept, or whose clock was set.
  void AdvanceWall(std::chrono::nanoseconds by) {
    const std::scoped_lock lock(mutex_);
    wall_ += std::chrono::duration_cast<Wall::duration>(by);
  }

 private:
  mutable std::mutex mutex_;
  Steady steady_{std::chrono::hours{1}};
  Wall wall_{std::chrono::seconds{1'795'000'000}};  // 2026-11-18
};
