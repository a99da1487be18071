// sidecar/cli/upstream_text.h: what became at Entra of what was stopped here.
#pragma once
#include <nlohmann/json.hpp>

#include "sidecar/cli/daemon_commands.h"

namespace sidecar::cli {

/// Prints each result of an answer's `upstream`, and what was left. Returns whether all was done.
bool PrintUpstream(const Console& console, const nlohmann::json& body);

/// Whether every result of an answer's `upstream` is done; true of none.
bool AllDone(const nlohmann::json& body);

/// Disables at Entra the identities of agents that are stopped: {"agent":"NAME"} or {"all":true}.
/// Prints what came of it, with --json adds it to `body` instead. Returns an ExitCode: kExitRefused
/// also when any of it was not done.
int RunUpstream(const Console& console, const nlohmann::json& whom, nlohmann::json* body);

}  // namespace sidecar::cli
