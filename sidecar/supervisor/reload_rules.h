// sidecar/supervisor/reload_rules.h: what a reload may not change.
#pragma once
#include <string>

#include "broker/policy/config.h"

namespace sidecar::supervisor {

/// Pure. Empty if a running purserd can go from `before` to `after`; else what keeps it from that,
/// and that a restart is needed.
std::string WhyRestartIsNeeded(const broker::policy::Config& before,
                               const broker::policy::Config& after);

}  // namespace sidecar::supervisor
