// sidecar/supervisor/daemon.h: purserd from its options to its exit code.
#pragma once
#include "sidecar/supervisor/options.h"

namespace sidecar::supervisor {

/// Runs until SIGTERM. Returns the exit code: 0 after a clean stop, 1 when it could not start,
/// which standard error then explains, one fault a line.
int RunDaemon(const Options& options, const EnvironmentLookup& environment);

}  // namespace sidecar::supervisor
