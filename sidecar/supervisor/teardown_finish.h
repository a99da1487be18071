// sidecar/supervisor/teardown_finish.h: what a crash cut short, brought to its end.
#pragma once
#include "broker/base/log.h"
#include "sidecar/supervisor/role_factory.h"
#include "sidecar/supervisor/teardown.h"

namespace sidecar::supervisor {

struct TeardownPorts {
  const broker::Clock& clock;
  const broker::Log& log;
  RoleFactory::Setup roles;
  std::string credentials_directory;  // systemd's
};

/// Starts the ledger alone, gives it its last entry, and stops it. Done where it has that entry
/// already. Returns {"seq","leaf"}. Errors: kUnavailable (what keeps it from taking the entry).
broker::Result<nlohmann::json> CloseLedger(TeardownPorts& ports,
                                           const broker::policy::Config& config,
                                           const broker::ledger::Entry& last);

/// From kDestroying to kClosed: destroys what is left, closes the ledger, notes it. Idempotent.
/// REQUIRES: no other process uses the folders. Errors: those of the above.
broker::Status FinishTeardown(TeardownPorts& ports, const broker::policy::Config& config,
                              TeardownNote note);

}  // namespace sidecar::supervisor
