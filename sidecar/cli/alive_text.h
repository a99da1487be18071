// sidecar/cli/alive_text.h: which tokens a stop has not reached.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "sidecar/cli/daemon_commands.h"

namespace sidecar::cli {

/// "2026-11-20T12:15:30Z"
std::string UtcTime(int64_t unix_seconds);

/// Prints what no stop takes back, said plainly: the tokens of an answer's `alive`, and how to end
/// them.
void PrintAlive(const Console& console, const nlohmann::json& body);

}  // namespace sidecar::cli
