// sidecar/hardening/syscall_filter.h: the seccomp filter of each role.
#pragma once
#include "broker/base/result.h"
#include "sidecar/hardening/role.h"

namespace sidecar::hardening {

/// Loads the role's filter into every thread. What it does not list fails with EPERM; calls that no
/// library of ours ever makes, and an attacker would, end the process with SIGSYS, so that the
/// attempt shows as role.restarted in the ledger. clone3 answers ENOSYS: glibc then takes clone,
/// whose flags a filter can see. The supervisor's list is of what is forbidden, because its
/// children inherit it. REQUIRES: no_new_privs. Errors: kUnavailable (the kernel has no seccomp
/// filters).
broker::Status LoadSyscallFilter(Role role);

}  // namespace sidecar::hardening
