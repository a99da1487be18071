// sidecar/supervisor/token_bucket.h: a rate with a burst.
#pragma once
#include <algorithm>

#include "broker/ports/clock.h"

namespace sidecar::supervisor {

/// Pure: the moment is an argument. Starts full.
class TokenBucket {
 public:
  TokenBucket(double per_second, double burst)
      : per_second_(per_second), burst_(burst), tokens_(burst) {}

  /// Takes one if there is one.
  bool Take(broker::Clock::Steady now) {
    Fill(now);
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

  /// How long until the next Take can succeed; zero if it would now.
  broker::Clock::Steady::duration UntilNext(broker::Clock::Steady now) {
    Fill(now);
    const double missing = std::max(0.0, 1 - tokens_);
    return std::chrono::ceil<std::chrono::milliseconds>(
        std::chrono::duration<double>(missing / per_second_));
  }

 private:
  void Fill(broker::Clock::Steady now) {
    const std::chrono::duration<double> passed = now - filled_;
    if (passed.count() > 0) tokens_ = std::min(burst_, tokens_ + passed.count() * per_second_);
    filled_ = now;
  }

  double per_second_;
  double burst_;
  double tokens_;
  broker::Clock::Steady filled_{};
};

}  // namespace sidecar::supervisor
