// broker/ports/clock.h
#pragma once
#include <chrono>

namespace broker {

/// Both clocks. Lifetimes, backoff and deadlines use the steady one: setting the host's date
/// extends nothing. The wall clock is for what is written down and for comparing a token's `exp`.
class Clock {
 public:
  using Steady = std::chrono::steady_clock::time_point;
  using Wall = std::chrono::system_clock::time_point;
  virtual ~Clock() = default;
  [[nodiscard]] virtual Steady Now() const = 0;
  [[nodiscard]] virtual Wall WallNow() const = 0;
};

}  // namespace broker
