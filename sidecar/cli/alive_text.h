// sidecar/cli/alive_text.h: which tokens a stop has not reached.
#pragma once
#include <nlohmann/json.hpp>

#include "sidecar/cli/daemon_commands.h"

namespace sidecar::cli {

/// Prints what no stop takes back, said plainly: the tokens of an answer's `alive`, and how to end
/// them.
void PrintAlive(const Console& console, const nlohmann::json& body);

}  // namespace sidecar::cli
