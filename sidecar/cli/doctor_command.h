// sidecar/cli/doctor_command.h: `purser doctor`.
#pragma once
#include <iosfwd>
#include <string>
#include <vector>

#include "broker/policy/config.h"
#include "sidecar/cli/daemon_commands.h"

namespace sidecar::cli {

struct DoctorFinding {
  enum class Level { kGood, kWarning, kBad };
  Level level = Level::kGood;
  std::string what;    // "key file /var/lib/purser-key/kek is private"
  std::string remedy;  // empty with kGood
};

/// Files, those of the configuration at `config_path` among them, folders, sockets, users, kernel:
/// what can be seen without the daemon.
std::vector<DoctorFinding> ExamineMachine(const std::string& config_path,
                                          const broker::policy::Config& config);

/// Examines the machine and, through the daemon, hosts, credentials and separation; prints each
/// finding with what to do about it. Returns an ExitCode: 1 when something is bad, 4 when the
/// daemon cannot be reached.
int RunDoctor(const Console& console, const std::string& config_path,
              const broker::policy::Config& config);

}  // namespace sidecar::cli
