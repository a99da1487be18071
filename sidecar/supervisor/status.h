// sidecar/supervisor/status.h: what the supervisor knows of itself, for `purser status`.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "broker/ports/clock.h"
#include "sidecar/supervisor/core_roles.h"
#include "sidecar/supervisor/findings.h"
#include "sidecar/supervisor/front_door.h"
#include "sidecar/supervisor/windows.h"

namespace sidecar::supervisor {

/// The findings of each role's last start, by role ("window" for all windows together).
using FindingsByRole = std::map<std::string, std::vector<Finding>>;

/// What the report is made of. Borrowed.
struct StatusSources {
  const std::string& config_path;
  const LoadedConfig& config;
  const CoreRoles& core;
  const Windows& windows;
  const FrontDoor& door;
  const Journal& journal;
  const FindingsByRole& findings;
  broker::Clock::Steady started;
};

/// The text of kStatusReport: {"version","config":{"path","sha256"},"hardening":{"minimum",
/// "allow_same_uid","findings":[{"role","name","what","remedy"}, …]},"connections":N,
/// "entries_lost":N,"roles":[{"role","agent" or "admin","pid","uptime_s","ready","restarts"}, …]}.
/// A role that is down has no "pid" and no "uptime_s".
std::string StatusJson(const StatusSources& sources, broker::Clock::Steady now);

}  // namespace sidecar::supervisor
