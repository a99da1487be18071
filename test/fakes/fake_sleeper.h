#pragma once
#include <mutex>
#include <vector>

#include "broker/ports/sleeper.h"

/// Returns at once and remembers how long it was asked to wait. Thread-safe.
class FakeSleeper final : public broker::Sleeper {
 public:
  void Sleep(std::chrono::milliseconds duration) override {
    const std::scoped_lock lock(mutex_);
    slept.push_back(duration);
  }
  std::vector<std::chrono::milliseconds> slept;  // oldest first; read it when no call is under way

 private:
  std::mutex mutex_;
};
