#include "sidecar/broker/unseal_retry.h"

#include <algorithm>
#include <utility>

namespace sidecar::broker_role {

std::chrono::seconds UnsealRetry::PauseAfter(broker::ErrorCode code, uint32_t failures) {
  if (code != broker::ErrorCode::kUnavailable) return kLongestPause;
  constexpr uint32_t kMaxDoublings = 6;  // 2^6 s are beyond the longest
  const uint32_t doublings = std::min(failures - std::min(failures, 1U), kMaxDoublings);
  return std::min(kFirstPause * (1U << doublings), kLongestPause);
}

void UnsealRetry::Wake() {
  {
    const std::scoped_lock lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

void UnsealRetry::Run(const std::stop_token& stop) {
  const auto woken = [this] { return std::exchange(woken_, false); };
  uint32_t failures = 0;
  std::chrono::seconds pause{0};  // none: until it is woken
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      const bool anew = pause.count() > 0 ? changed_.wait_for(lock, stop, pause, woken)
                                          : changed_.wait(lock, stop, woken);
      if (anew) failures = 0;
    }
    if (stop.stop_requested()) return;
    const auto failed = attempt_();
    failures = failed ? failures + 1 : 0;
    pause = failed ? PauseAfter(*failed, failures) : std::chrono::seconds{0};
  }
}

}  // namespace sidecar::broker_role
