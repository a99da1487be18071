// sidecar/cli/config_command.h: `purser config check|show|egress|schema`, without asking the
// daemon.
#pragma once
#include <unistd.h>

#include <iosfwd>
#include <string>
#include <vector>

#include "broker/policy/config.h"

namespace sidecar::cli {

struct ConfigOptions {
  std::string path;  // purser.toml
  bool json = false;
  /// Who is who; nullptr: this machine's users and groups. Borrowed.
  const broker::policy::Accounts* accounts = nullptr;
  /// The user at the keyboard.
  uint32_t who_asks = geteuid();
  /// Whom purser runs as; empty: root and the role users that exist here; where none does,
  /// who_asks.
  std::vector<uint32_t> own_uids = {};
};

// Each returns an ExitCode: 0, or 1 for a configuration that cannot be read or is at fault. Faults
// go to `err`, a line "FILE:LINE:COLUMN: what is wrong and what to write instead" each; with `json`
// to `out`, as {"ok":false,"faults":[{"file","line","column","message"}]}.

/// A good configuration may have warnings, of agents that share a registration: lines "FILE:LINE:…:
/// warning: …" on `out`; with `json` the list "warnings", of the form of "faults".
int RunConfigCheck(const ConfigOptions& options, std::ostream& out, std::ostream& err);
/// The configuration in force, defaults marked: TOML, or JSON.
int RunConfigShow(const ConfigOptions& options, std::ostream& out, std::ostream& err);
/// Every host and port that this configuration connects to, a line "HOST:PORT  reason" each, as the
/// dialer is given them; with `json` {"destinations":[{"host","port","reason","proxied"}]}.
int RunConfigEgress(const ConfigOptions& options, std::ostream& out, std::ostream& err);
/// A JSON Schema (draft 2020-12) of purser.toml.
int RunConfigSchema(std::ostream& out);

/// For commands that need a valid configuration. Errors: those of ReadConfigFiles; kInvalidRequest
/// with all faults as the detail, a line each.
broker::Result<broker::policy::Config> LoadForCommand(const std::string& path);

}  // namespace sidecar::cli
