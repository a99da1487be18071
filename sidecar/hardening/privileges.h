// sidecar/hardening/privileges.h: dumps, capabilities, no_new_privs.
#pragma once
#include "broker/base/result.h"
#include "sidecar/hardening/role.h"

namespace sidecar::hardening {

/// Not dumpable (prctl(2): no core file, /proc/self owned by root, no attaching by the same user)
/// and RLIMIT_CORE 0. Errors: kUnavailable.
broker::Status ForbidDumps();

/// no_new_privs; every capability gone from all five sets, and securebits locked so that uid 0
/// gives none back. The supervisor keeps what starting and attesting need, and its bounding set is
/// cut to that. Without CAP_SETPCAP the bounding set and securebits stay as they are: with
/// no_new_privs nothing can be gained from them. Errors: kUnavailable.
broker::Status DropPrivileges(Role role);

}  // namespace sidecar::hardening
