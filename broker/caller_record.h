// broker/caller_record.h: the caller's proven part of a ledger entry.
#pragma once
#include "broker/ledger/entry.h"
#include "broker/policy/facts.h"

namespace broker {

/// What the kernel said about the caller, as broker and supervisor record it.
inline ledger::CallerRecord RecordOf(const policy::Facts& facts) {
  return {.uid = facts.uid,
          .gid = facts.gid,
          .pid = facts.pid,
          .exe_sha256 = facts.exe_sha256,
          .unit = facts.systemd_unit,
          .loginuid = facts.loginuid};
}

}  // namespace broker
