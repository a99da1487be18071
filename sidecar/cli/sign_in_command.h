// sidecar/cli/sign_in_command.h: `purser login --as-operator` and `purser logout`.
#pragma once
#include <string>

#include "sidecar/cli/daemon_commands.h"

namespace sidecar::cli {

/// Device code: prints where to go and what to type, polls until the person is done, and keeps the
/// session, of the socket at that path, in the user's SessionFile. Returns an ExitCode.
int RunSignIn(const Console& console, const std::string& socket_path);
/// Ends the session, and removes the file whatever the daemon says.
int RunSignOut(const Console& console);

}  // namespace sidecar::cli
