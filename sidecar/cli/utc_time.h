// sidecar/cli/utc_time.h: moments as every command prints them.
#pragma once
#include <cstdint>
#include <string>

namespace sidecar::cli {

/// Both of seconds since the epoch, in UTC.
std::string UtcTime(int64_t unix_seconds);  // "2026-11-20T12:15:30Z", as the ledger has it
std::string UtcDay(int64_t unix_seconds);   // "2026-11-20"

}  // namespace sidecar::cli
