// sidecar/hardening/self_test.h: tries what must not be possible, from inside.
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

#include "sidecar/hardening/finding.h"
#include "sidecar/hardening/role.h"

namespace sidecar::hardening {

/// The parent and its other children: whom this process could reach. Look before the filter closes
/// /proc; processes of other roles that start later are as out of reach as these.
struct Relatives {
  std::vector<pid_t> pids;
};
Relatives FindRelatives();

/// Opens each of `off_limits`, reads the memory of each relative, executes, signals, opens sockets,
/// and looks at its own state. Every success is a finding; none of the attempts changes anything.
Findings SelfTest(Role role, const std::vector<std::string>& off_limits,
                  const Relatives& relatives);

}  // namespace sidecar::hardening
