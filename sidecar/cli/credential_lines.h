// sidecar/cli/credential_lines.h: warnings before a credential ends.
#pragma once
#include <nlohmann/json.hpp>

#include "sidecar/cli/daemon_commands.h"

namespace sidecar::cli {

// As the daemon warns (sidecar/broker/credential_ends.h): for colours alone.
inline constexpr int kSoonDays = 30;
inline constexpr int kUrgentDays = 7;

/// The rows of `ending` in the status, a line each.
void PrintEnding(const Console& console, const nlohmann::json& ending);
/// Whether one has ended, or will within a week.
bool AnyUrgent(const nlohmann::json& ending);

}  // namespace sidecar::cli
