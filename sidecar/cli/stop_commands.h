// sidecar/cli/stop_commands.h: `purser kill` and `purser release`.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

#include "sidecar/cli/session.h"

namespace sidecar::cli {

/// Whom, and why. REQUIRES: the parser saw to it that it is one agent, all, or a credential.
struct StopOrder {
  std::string agent;
  bool all = false;
  std::string credential;  // release: instead of an agent
  std::string why;
  bool upstream = false;  // kill: at Entra, too
};

/// A stop does not fail for the length of its reason: what is over the limit is left out.
std::string ShortenedReason(const std::string& why);

/// Adds both to `app`; what was typed is put into `session` and `order`, which outlive the parsing.
void AddStops(CLI::App& app, Session& session, StopOrder& order);

/// Prints what was stopped and which tokens are still alive outside. Returns an ExitCode:
/// kExitRefused also when the stop works but could not be recorded.
int RunKill(const Console& console, const StopOrder& order);
/// Prints what stands of other stops. Returns an ExitCode.
int RunRelease(const Console& console, const StopOrder& order);

}  // namespace sidecar::cli
