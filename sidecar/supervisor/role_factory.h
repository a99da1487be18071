// sidecar/supervisor/role_factory.h: what each role is started with.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "broker/policy/config.h"
#include "sidecar/supervisor/role_process.h"

namespace sidecar::supervisor {

/// Pure: the command line of a role (IPC.md has the table). `latch` is the ledger's: why its
/// predecessor had latched, or empty.
std::vector<std::string> ArgumentsOf(const RoleProcess::Name& name,
                                     const broker::policy::Config& config,
                                     const std::string& latch);

/// Starts roles with their executable, user, umask and environment. Not thread-safe.
class RoleFactory {
 public:
  struct Setup {
    Executables executables;
    RoleUsers users;
    std::vector<std::string> environment;
    int log = 2;
  };
  RoleFactory(EventLoop& loop, const broker::Clock& clock, Setup setup)
      : loop_(loop), clock_(clock), setup_(std::move(setup)) {}

  /// Errors: kUnavailable.
  broker::Result<std::unique_ptr<RoleProcess>> Start(const RoleProcess::Name& name,
                                                     const broker::policy::Config& config,
                                                     RoleProcess::Callbacks callbacks,
                                                     const std::string& latch = {});

 private:
  EventLoop& loop_;
  const broker::Clock& clock_;
  Setup setup_;
};

}  // namespace sidecar::supervisor
