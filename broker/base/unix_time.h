// broker/base/unix_time.h: the wall clock as entries, rows of the store and answers have it.
#pragma once
#include <chrono>
#include <cstdint>

namespace broker {

/// Whole seconds since 1970-01-01T00:00:00Z, without their fraction.
inline int64_t UnixSeconds(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

/// The year 2242: a later time in what was kept is no time.
inline constexpr uint64_t kLatestUnixSeconds = uint64_t{1} << 33;

}  // namespace broker
