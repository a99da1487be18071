// sidecar/cli/run_command.h: `purser run AGENT -- CMD`.
#pragma once
#include <string>
#include <vector>

#include "broker/policy/config.h"
#include "sidecar/cli/complaint.h"

namespace sidecar::cli {

/// Becomes the agent's user (as root) or stays who it is (when that is the agent's user already),
/// sets PURSER_SOCKET, takes what would make it somebody else in Entra out of the environment, and
/// executes `command`. Returns only on failure, with an ExitCode.
int RunAs(const broker::policy::Config& config, const std::string& agent,
          const std::vector<std::string>& command, const Output& to);

}  // namespace sidecar::cli
