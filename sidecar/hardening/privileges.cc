#include "sidecar/hardening/privileges.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

namespace sidecar::hardening {
namespace {

using broker::ErrorCode, broker::Fail, broker::Status;

constexpr uint64_t Bit(int capability) { return uint64_t{1} << capability; }

// Folders, sockets and their owners (CHOWN, FOWNER, DAC_*); the roles' users (SETUID, SETGID) and
// limits (SYS_RESOURCE: locked memory); signals to roles of other users (KILL); `exe` selectors
// (SYS_PTRACE); cutting the children's bounding sets (SETPCAP).
constexpr uint64_t kSupervisorKeeps = Bit(CAP_CHOWN) | Bit(CAP_FOWNER) | Bit(CAP_DAC_OVERRIDE) |
                                      Bit(CAP_DAC_READ_SEARCH) | Bit(CAP_SETUID) | Bit(CAP_SETGID) |
                                      Bit(CAP_SYS_RESOURCE) | Bit(CAP_KILL) | Bit(CAP_SYS_PTRACE) |
                                      Bit(CAP_SETPCAP);

constexpr int kLockedSecureBits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                                  SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                                  SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

std::unexpected<broker::Error> Failed(const char* call) {
  return Fail(ErrorCode::kUnavailable, std::string(call) + ": " + strerrorname_np(errno));
}

void CutBoundingSet(uint64_t keep) {
  for (int capability = 0; capability < 64; ++capability) {
    // EINVAL: beyond the kernel's last one. EPERM: no CAP_SETPCAP, and no way to gain anything.
    if ((keep & Bit(capability)) == 0) prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
}

Status SetCapabilities(uint64_t keep) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (syscall(SYS_capget, &header, sets.data()) != 0) return Failed("capget");
  for (__user_cap_data_struct& set : sets) {  // the lower half first
    set.permitted &= static_cast<uint32_t>(keep);
    set.effective &= static_cast<uint32_t>(keep);
    set.inheritable = 0;
    keep >>= 32;
  }
  if (syscall(SYS_capset, &header, sets.data()) != 0) return Failed("capset");
  return {};
}

}  // namespace

Status ForbidDumps() {
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return Failed("PR_SET_DUMPABLE");
  const rlimit none{0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0) return Failed("RLIMIT_CORE");
  return {};
}

Status DropPrivileges(Role role) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Failed("PR_SET_NO_NEW_PRIVS");
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (role == Role::kSupervisor) {
    CutBoundingSet(kSupervisorKeeps);
    return SetCapabilities(kSupervisorKeeps);
  }
  CutBoundingSet(0);
  prctl(PR_SET_SECUREBITS, kLockedSecureBits, 0, 0, 0);
  return SetCapabilities(0);
}

}  // namespace sidecar::hardening
