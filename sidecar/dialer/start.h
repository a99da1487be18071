// sidecar/dialer/start.h: from the command line to a serving role.
#pragma once

namespace sidecar::dialer {

/// `purser-dialer [--off-limits PATH]…`, with the control channel on descriptor 3 and the log on 2.
/// Ends the process: with 0 after kStop or when the supervisor is gone, 1 when it could not start
/// or its channel broke. Returns 2 on usage errors, 1 when it could not harden.
int RunDialer(int argc, char** argv);

}  // namespace sidecar::dialer
