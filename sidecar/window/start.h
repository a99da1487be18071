// sidecar/window/start.h: from the command line to a serving role.
#pragma once

namespace sidecar::window {

/// `purser-window (--agent NAME | --admin) [--off-limits PATH]…`, with the control channel on
/// descriptor 3 and the log on 2. Returns the exit code: 0 after kStop or when the supervisor is
/// gone, 1 when it could not start or its channel broke, 2 on usage errors.
/// REQUIRES: an executable that has sidecar/hardening/wiping_free.h, or the log says so.
int RunWindow(int argc, char** argv);

}  // namespace sidecar::window
