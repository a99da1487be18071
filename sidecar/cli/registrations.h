// sidecar/cli/registrations.h: `purser doctor --registrations`.
#pragma once
#include "broker/policy/config.h"
#include "sidecar/cli/complaint.h"

namespace sidecar::cli {

/// The registrations that the configuration asks for, as a shell script that makes them; with
/// --json {"registrations":[{"credential","kind","delegated","agents","scopes"}],"commands":TEXT}.
/// Asks neither the daemon nor Entra. Returns kExitDone.
int PrintRegistrations(const broker::policy::Config& config, const Output& to);

}  // namespace sidecar::cli
