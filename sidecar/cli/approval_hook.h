// sidecar/cli/approval_hook.h: an operator's own command, told of each approval.
#pragma once
#include <string>

#include "sidecar/cli/daemon_commands.h"

namespace sidecar::cli {

/// Runs `command` once for each approval that waits and each notice, with one line of JSON on its
/// standard input ({"approval":{…}} or {"notice":{…}}, as GET /v1/approvals has them), one after
/// the other. Says on `err` of one that fails, or takes longer than kHookPatience and is ended; the
/// daemon waits for none of them. Goes on while the daemon restarts. Returns an ExitCode, where the
/// first look fails; else never.
int RunHook(const Console& console, const std::string& command);

}  // namespace sidecar::cli
