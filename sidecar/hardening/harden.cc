#include "sidecar/hardening/harden.h"

#include <csignal>
#include <string>
#include <thread>
#include <utility>

#include "sidecar/hardening/landlock.h"
#include "sidecar/hardening/privileges.h"
#include "sidecar/hardening/sanitizer.h"
#include "sidecar/hardening/self_test.h"
#include "sidecar/hardening/syscall_filter.h"

namespace sidecar::hardening {

using broker::ErrorCode, broker::Fail, broker::Result, broker::Status;

Result<Findings> Harden(Role role, const HardenOptions& options) {
  if ((role == Role::kLedger) == options.own_folder.empty()) {
    return Fail(ErrorCode::kInvalidRequest, "own_folder is for the ledger, and it needs one");
  }
  // OpenSSL and the log write without MSG_NOSIGNAL: whoever hangs up must not end the process.
  std::signal(SIGPIPE, SIG_IGN);
  std::thread([] {}).join();
  TellSanitizers();
  const Relatives relatives = FindRelatives();

  if (Status done = ForbidDumps(); !done) return std::unexpected(done.error());
  if (Status done = DropPrivileges(role); !done) return std::unexpected(done.error());
  if (role != Role::kSupervisor) {
    if (Status done = RestrictFiles(role, options.own_folder); !done) {
      return std::unexpected(done.error());
    }
  }
  Findings findings;
  if (Status done = LoadSyscallFilter(role); !done) {
    const std::string name(NameOf(role));
    findings.push_back(
        {name + "_unfiltered", "the " + name + " has no seccomp filter: " + done.error().detail,
         "run on a kernel with CONFIG_SECCOMP_FILTER, outside sandboxes that lack it"});
  }
  for (Finding& finding : SelfTest(role, options.off_limits, relatives)) {
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace sidecar::hardening
