// sidecar/hardening/harden.h: a role gives up what it does not need. HARDENING.md has the table.
#pragma once
#include <string>
#include <vector>

#include "broker/base/result.h"
#include "sidecar/hardening/finding.h"
#include "sidecar/hardening/role.h"

namespace sidecar::hardening {

struct HardenOptions {
  /// Ledger only: the one folder that it reads and writes from now on. Must exist.
  std::string own_folder;
  /// Existing files and folders that this role must not be able to open (the ledger's folder for
  /// the broker, the store for the ledger, both for window and dialer): the self-test tries each.
  std::vector<std::string> off_limits;
};

/// Irrevocably reduces the calling process to what `role` needs: not dumpable, no core files, no
/// new privileges, no capabilities, Landlock as far as the kernel has it, a seccomp filter; and
/// SIGPIPE ignored, with which whoever reads a socket or the log could end the process. Then tries
/// what must not be possible. Returns what was possible all the same; empty is as designed.
///
/// Call it once, when everything has been opened and before the first byte from outside is read.
/// REQUIRES: one thread (it starts and joins one itself: what glibc reads at the first thread must
/// have been read before the filter).
/// Errors: kInvalidRequest (own_folder cannot be opened, or is missing for the ledger) ·
/// kUnavailable (a step failed that every kernel has: do not go on, whatever `minimum` says).
broker::Result<Findings> Harden(Role role, const HardenOptions& options);

}  // namespace sidecar::hardening
