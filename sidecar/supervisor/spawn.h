// sidecar/supervisor/spawn.h: fork and exec of a role, with nothing inherited by accident.
#pragma once
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "broker/base/result.h"
#include "sidecar/ipc/frame.h"

namespace sidecar::supervisor {

/// Whose process a role becomes; supplementary groups are dropped.
struct RunAs {
  uid_t uid = 0;
  gid_t gid = 0;
};

struct SpawnRequest {
  int executable = -1;  // descriptor, opened at start: a file exchanged later is never run
  std::vector<std::string> arguments;    // argv, the name first
  std::vector<std::string> environment;  // all of it
  std::optional<RunAs> run_as;           // absent: as this process
  mode_t umask = 077;
  int control = -1;  // becomes descriptor 3
  int log = 2;       // becomes descriptor 2
};

struct Child {
  pid_t pid = -1;
  ipc::Fd pidfd;
};

/// Starts a role as IPC.md ("What a role finds when it starts") promises. REQUIRES: one thread.
/// A child that cannot exec says why on `log` and exits with status 126.
/// Errors: kUnavailable.
broker::Result<Child> Spawn(const SpawnRequest& request);

/// How a child ended: "status 1", "signal 9". Reaps it. REQUIRES: its pidfd is readable.
std::string Reap(const Child& child);

/// SIGKILL to this very process, never to one that got its pid later.
void Kill(const Child& child);

}  // namespace sidecar::supervisor
