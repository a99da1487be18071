#include "sidecar/cli/utc_time.h"

#include <array>
#include <ctime>

namespace sidecar::cli {
namespace {

std::string Utc(int64_t unix_seconds, const char* format) {
  const auto seconds = static_cast<std::time_t>(unix_seconds);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), format, &utc)};
}

}  // namespace

std::string UtcTime(int64_t unix_seconds) { return Utc(unix_seconds, "%Y-%m-%dT%H:%M:%SZ"); }
std::string UtcDay(int64_t unix_seconds) { return Utc(unix_seconds, "%Y-%m-%d"); }

}  // namespace sidecar::cli
