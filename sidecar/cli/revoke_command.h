// sidecar/cli/revoke_command.h: `purser revoke`.
#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "sidecar/cli/session.h"

namespace sidecar::cli {

/// What, and why. REQUIRES: the parser saw to it that it is one of the three.
struct RevokeOrder {
  std::string credential;
  std::string agent;
  uint64_t token_seq = 0;
  std::string why;
  bool upstream = false;  // at Entra, too
};

/// Adds the command to `app`; what was typed is put into `session` and `order`, which outlive the
/// parsing.
void AddRevoke(CLI::App& app, Session& session, RevokeOrder& order);

/// Prints what was revoked and which tokens are still alive outside. Returns an ExitCode:
/// kExitRefused also when it works but could not be recorded, or would not survive a restart.
int RunRevoke(const Console& console, const RevokeOrder& order);

}  // namespace sidecar::cli
