// sidecar/broker/start.h: from the command line to a serving role.
#pragma once

namespace sidecar::broker_role {

/// `purser-broker --store FILE --tenant TENANT [--off-limits PATH]…`, with the control channel on
/// descriptor 3 and the log on 2. Opens the store, hardens the process, and serves until kStop or
/// until the supervisor is gone. Returns the exit code: 1 when it could not start, 2 on usage
/// errors; a broker that served ends the process itself, with 0, or 1 if requests were cut off.
int RunBroker(int argc, char** argv);

}  // namespace sidecar::broker_role
