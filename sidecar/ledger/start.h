// sidecar/ledger/start.h: from the command line to a serving role.
#pragma once

namespace sidecar::ledger {

/// `purser-ledger --dir DIR --log NAME --tenant TENANT [--reserve BYTES] [--off-limits PATH]…`,
/// with the control channel on descriptor 3 and the log on 2. Returns the exit code: 0 after kStop
/// or when the supervisor is gone, 1 when it could not start, 2 on usage errors.
int RunLedger(int argc, char** argv);

}  // namespace sidecar::ledger
