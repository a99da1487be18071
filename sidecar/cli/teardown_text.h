// sidecar/cli/teardown_text.h: what was destroyed, for an auditor.
#pragma once
#include <nlohmann/json.hpp>

#include "sidecar/cli/daemon_commands.h"

namespace sidecar::cli {

/// Prints the members "report", "destroyed", "unreadable" and "ledger" of `body`, as far as there
/// are.
void PrintTeardown(const Console& console, const nlohmann::json& body);

/// Whether nothing is left to do by hand: all ended at Entra, or was not to be, and all that is
/// purser's to destroy is destroyed.
bool TornDownWhole(const nlohmann::json& body);

}  // namespace sidecar::cli
