// test/bench/samples.h: what a measurement prints.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace bench {

using Steady = std::chrono::steady_clock;

/// Ends the program: a benchmark that cannot measure has nothing to say.
[[noreturn]] inline void Die(const char* what) {
  std::perror(what);
  std::exit(1);
}

/// Latencies of one run.
class Samples {
 public:
  void Add(Steady::duration took) {
    micros_.push_back(std::chrono::duration<double, std::micro>(took).count());
  }
  [[nodiscard]] size_t size() const { return micros_.size(); }

  /// One line of JSON: count, p50 and p99 in microseconds, and how many a second.
  void Print(Steady::duration elapsed, size_t failed) {
    std::ranges::sort(micros_);
    std::printf(
        "{\"count\": %zu, \"p50\": %.2f, \"p99\": %.2f, \"rate\": %.1f, \"failed\": %zu}\n",
        micros_.size(), At(0.50), At(0.99),
        static_cast<double>(micros_.size()) / std::chrono::duration<double>(elapsed).count(),
        failed);
  }

 private:
  [[nodiscard]] double At(double share) const {
    if (micros_.empty()) return 0;
    return micros_[static_cast<size_t>(share * static_cast<double>(micros_.size() - 1))];
  }
  std::vector<double> micros_;
};

/// The number in `text`, within bounds that keep a slip of the hand from running all day.
inline size_t Bounded(const char* text, size_t most) {
  const unsigned long long value = std::strtoull(text, nullptr, 10);
  if (value == 0 || value > most) {
    std::fprintf(stderr, "%s: expected 1 to %zu\n", text, most);
    std::exit(2);
  }
  return static_cast<size_t>(value);
}

}  // namespace bench
