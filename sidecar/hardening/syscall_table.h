// sidecar/hardening/syscall_table.h: which system calls, by what they are for. HARDENING.md has the
// reasons.
#pragma once
#include <span>

namespace sidecar::hardening {

/// Numbers as <seccomp.h> has them for the native architecture (negative: it has no such call).
using SyscallList = std::span<const int>;

SyscallList ComputeCalls();    // memory, threads, time, signals to itself
SyscallList ChannelCalls();    // reading, writing and waiting on what is already open
SyscallList StoreFileCalls();  // SQLite on files that are already open
SyscallList LedgerFileCalls();
SyscallList DialerCalls();
/// No role, the supervisor included, and none of their libraries has a use for these.
SyscallList ForeignCalls();
/// Into another process. EPERM rather than the end of the process: the self-test tries them.
SyscallList IntrusiveCalls();

}  // namespace sidecar::hardening
