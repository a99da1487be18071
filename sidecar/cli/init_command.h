// sidecar/cli/init_command.h: `purser init`, from an empty machine to a daemon that can start.
#pragma once
#include <iosfwd>
#include <string>

#include "broker/policy/config.h"

namespace sidecar::cli {

struct NewConfigOptions {
  std::string path;        // "/etc/purser/purser.toml"
  std::string instance;    // in every ledger entry
  std::string tenant;      // GUID or domain
  std::string agent_user;  // the user that the agent runs as
};

/// Writes a small configuration with its explanation, mode 0644, unless one is there.
/// Returns an ExitCode.
int WriteNewConfig(const NewConfigOptions& options, std::ostream& out, std::ostream& err);

/// Creates the system users that the roles run as, where this process is root and they are missing.
/// Returns an ExitCode.
int CreateRoleUsers(std::ostream& out, std::ostream& err);

/// Creates what is missing and keeps what is there: the key file and the empty sealed store, with
/// their folders. Asks for a passphrase where [seal] wants one. Returns an ExitCode.
int CreateStore(const broker::policy::Config& config, std::ostream& out, std::ostream& err);

}  // namespace sidecar::cli
