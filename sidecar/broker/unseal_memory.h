// sidecar/broker/unseal_memory.h: a key that outlives its broker and that nobody else can read.
#pragma once
#include "broker/base/result.h"
#include "broker/base/secret.h"
#include "sidecar/ipc/frame.h"

namespace sidecar::broker_role {

/// Copies `secret` into a fresh memfd_secret (Linux 5.14, memfd_secret(2)): memory that the kernel
/// itself has no mapping of, that ptrace and /proc/pid/mem do not reach, and that the supervisor
/// keeps by its descriptor for the next broker. Its page counts towards RLIMIT_MEMLOCK.
/// Errors: kUnavailable (the kernel lacks it or has it switched off; the operator unseals instead).
broker::Result<ipc::Fd> KeepInMemfdSecret(const broker::Secret& secret);

/// The secret that KeepInMemfdSecret put there. It stays, for the broker after this one.
/// Errors: kCorrupt (not such a descriptor) · kUnavailable (cannot be mapped).
broker::Result<broker::Secret> ReadFromMemfdSecret(int fd);

}  // namespace sidecar::broker_role
