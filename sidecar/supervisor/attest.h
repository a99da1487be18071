// sidecar/supervisor/attest.h: who the kernel says is at the other end.
#pragma once
#include <string>

#include "broker/base/result.h"
#include "broker/policy/facts.h"
#include "sidecar/ipc/frame.h"
#include "sidecar/supervisor/exe_facts.h"

namespace sidecar::supervisor {

/// Where the peer's pidfd comes from. SO_PEERPIDFD names the very process that connected;
/// pidfd_open (all that kernels before 6.5 have) names whoever bears its pid now, which the uid
/// check and the order of looks narrow down but cannot exclude within one user.
enum class PidfdFrom { kSocketElsePid, kSocketOnly, kPidOnly };

/// What an agent's selectors need beyond user, group and cgroup.
struct ExeWanted {
  std::string path;     // configured file to compare with; empty: no comparison
  bool sha256 = false;  // the content's hash
};

struct Peer {
  broker::policy::Facts facts;
  ipc::Fd pidfd;  // invalid across pid namespaces (pid 0)
};

/// Takes the facts of peers. Not thread-safe: it keeps the hashes of files.
class Attestor {
 public:
  // More groups than any account has; a kConnection with them still fits one frame.
  static constexpr size_t kMaxGroups = 2048;

  explicit Attestor(PidfdFrom from = PidfdFrom::kSocketElsePid) : from_(from) {}

  /// The facts of the process that connected `socket`. In this order: credentials and groups of the
  /// socket, pidfd, /proc/<pid> and its owner, what stands in there, and then whether the process
  /// has exited meanwhile: if so, what was read may be another's.
  /// A fact that cannot be had stays absent: the selector that needs it refuses.
  /// Errors: kDenied with why (exited, changed its user) · kUnavailable (the kernel refused a call
  /// that has to work). `*peer` then holds what was read so far: for the record, not for a
  /// decision.
  broker::Status Attest(int socket, const ExeWanted& wanted, Peer* peer);

 private:
  broker::Result<ipc::Fd> OpenPidfd(int socket, int32_t pid) const;
  PidfdFrom from_;
  ExeFacts exe_facts_;
};

}  // namespace sidecar::supervisor
