// sidecar/hardening/landlock.h: which files a role may reach, whatever its user may.
#pragma once
#include <string>

#include "broker/base/result.h"
#include "sidecar/hardening/role.h"

namespace sidecar::hardening {

/// The kernel's Landlock ABI (landlock(7)); 0 where it has none or refuses it.
int LandlockAbi();

/// Window and broker: no file. Ledger: `own_folder`, to read, write and make files in. Dialer: what
/// name resolution reads, and no listening. All: no signal or abstract socket to a process outside
/// (ABI 6). Uses all that the kernel knows; does nothing where it knows nothing, because what that
/// leaves open the self-test finds.
/// REQUIRES: no_new_privs. Errors: kInvalidRequest (own_folder) · kUnavailable.
broker::Status RestrictFiles(Role role, const std::string& own_folder);

}  // namespace sidecar::hardening
