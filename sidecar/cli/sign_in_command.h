// sidecar/cli/sign_in_command.h: `purser login --as-operator` and `purser logout`.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

#include "sidecar/cli/daemon_commands.h"
#include "sidecar/cli/session.h"

namespace sidecar::cli {

/// Device code: prints where to go and what to type, polls until the person is done, and keeps the
/// session, of the socket at that path, in the user's SessionFile. Returns an ExitCode.
int RunSignIn(const Console& console, const std::string& socket_path);
/// Ends the session, and removes the file whatever the daemon says.
int RunSignOut(const Console& console);

/// As it was typed; neither: one's own session alone.
struct SignOutOrder {
  std::string person;  // object id
  bool all = false;
  std::string why;
};
/// Ends sessions of others, and removes no file. Returns an ExitCode.
int RunSignOutOthers(const Console& console, const SignOutOrder& order);
/// Adds `logout` to `app`; `session` and `order` outlive the parsing.
void AddSignOut(CLI::App& app, Session& session, SignOutOrder& order);

}  // namespace sidecar::cli
