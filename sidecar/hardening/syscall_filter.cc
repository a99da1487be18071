#include "sidecar/hardening/syscall_filter.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string>

#include "sidecar/hardening/syscall_table.h"

namespace sidecar::hardening {
namespace {

using broker::ErrorCode, broker::Fail, broker::Status;

// What glibc's pthread_create asks of clone(2), and nothing that makes a process.
constexpr uint64_t kThreadFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                                  CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
                                  CLONE_CHILD_CLEARTID;
constexpr uint64_t kSocketTypeMask = 0xf;  // beside it: SOCK_CLOEXEC, SOCK_NONBLOCK
constexpr uint64_t kMayChangeFiles = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;

using Conditions = std::initializer_list<scmp_arg_cmp>;

scmp_arg_cmp Equals(unsigned argument, uint64_t value) { return {argument, SCMP_CMP_EQ, value, 0}; }
// The upper half of an int argument is whatever the caller's register held: compare the lower.
scmp_arg_cmp EqualsInt(unsigned argument, int value) {
  return {argument, SCMP_CMP_MASKED_EQ, UINT32_MAX, static_cast<uint32_t>(value)};
}
scmp_arg_cmp Masked(unsigned argument, uint64_t mask, uint64_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

/// A filter in the making; remembers the first fault.
class Filter {
 public:
  explicit Filter(uint32_t otherwise) : context_(seccomp_init(otherwise), seccomp_release) {
    if (context_ == nullptr) fault_ = -ENOMEM;
    Keep(seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_TSYNC, 1));
    // A binary tree: the filter runs at every system call of every token request.
    Keep(seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2));
  }
  void Add(uint32_t action, SyscallList calls) {
    for (const int call : calls)
      Keep(seccomp_rule_add_array(context_.get(), action, call, 0, nullptr));
  }
  void Allow(int call, Conditions when) {
    Keep(seccomp_rule_add_array(context_.get(), SCMP_ACT_ALLOW, call,
                                static_cast<unsigned>(when.size()), when.begin()));
  }
  Status Load() {
    if (fault_ == 0) Keep(seccomp_load(context_.get()));
    if (fault_ == 0) return {};
    return Fail(ErrorCode::kUnavailable, std::string("seccomp: ") + strerrorname_np(-fault_));
  }

 private:
  void Keep(int result) {
    if (fault_ == 0) fault_ = result;
  }
  std::unique_ptr<void, decltype(&seccomp_release)> context_;
  int fault_ = 0;
};

void AllowByArgument(Filter& filter) {
  // No code that was not there at the start.
  filter.Allow(SCMP_SYS(mmap), {Masked(2, PROT_EXEC, 0)});
  filter.Allow(SCMP_SYS(mprotect), {Masked(2, PROT_EXEC, 0)});
  for (const int command : {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC, F_GET_SEALS}) {
    filter.Allow(SCMP_SYS(fcntl), {EqualsInt(1, command)});
  }
  for (const int option : {PR_SET_NAME, PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS, PR_GET_SECCOMP}) {
    filter.Allow(SCMP_SYS(prctl), {EqualsInt(0, option)});
  }
  filter.Allow(SCMP_SYS(prlimit64), {EqualsInt(0, 0), Equals(2, 0)});  // reads its own limits
  filter.Allow(SCMP_SYS(tgkill), {EqualsInt(0, getpid())});            // abort(3)
}

void AllowThreads(Filter& filter) { filter.Allow(SCMP_SYS(clone), {Equals(0, kThreadFlags)}); }

void AllowStore(Filter& filter) {
  filter.Add(SCMP_ACT_ALLOW, StoreFileCalls());
  for (const int command : {F_GETLK, F_SETLK, F_SETLKW}) {
    filter.Allow(SCMP_SYS(fcntl), {EqualsInt(1, command)});
  }
  filter.Allow(SCMP_SYS(socketpair), {EqualsInt(0, AF_UNIX)});
}

void AllowLedgerFiles(Filter& filter) {
  filter.Add(SCMP_ACT_ALLOW, LedgerFileCalls());
  filter.Allow(SCMP_SYS(openat), {Masked(2, O_TRUNC, 0)});
}

void AllowNetwork(Filter& filter) {
  filter.Add(SCMP_ACT_ALLOW, DialerCalls());
  for (const int family : {AF_INET, AF_INET6}) {
    for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
      filter.Allow(SCMP_SYS(socket),
                   {EqualsInt(0, family), Masked(1, kSocketTypeMask, static_cast<uint64_t>(type))});
    }
  }
  // getaddrinfo asks the kernel for its addresses, so as to order the answers (RFC 6724). The
  // length of a netlink address fits no other family: bind can do nothing else.
  filter.Allow(SCMP_SYS(socket), {EqualsInt(0, AF_NETLINK), EqualsInt(2, NETLINK_ROUTE)});
  filter.Allow(SCMP_SYS(bind), {EqualsInt(2, sizeof(sockaddr_nl))});
  filter.Allow(SCMP_SYS(ioctl), {EqualsInt(1, FIONREAD)});
  filter.Allow(SCMP_SYS(openat), {Masked(2, kMayChangeFiles, 0)});
}

Status LoadRoleFilter(Role role) {
  Filter filter(SCMP_ACT_ERRNO(EPERM));
  filter.Add(SCMP_ACT_KILL_PROCESS, ForeignCalls());
  filter.Add(SCMP_ACT_ERRNO(ENOSYS), std::array{SCMP_SYS(clone3), SCMP_SYS(statx)});
  filter.Add(SCMP_ACT_ALLOW, ComputeCalls());
  filter.Add(SCMP_ACT_ALLOW, ChannelCalls());
  AllowByArgument(filter);
  if (role != Role::kWindow) AllowThreads(filter);
  switch (role) {
    case Role::kBroker:
      AllowStore(filter);
      break;
    case Role::kLedger:
      AllowLedgerFiles(filter);
      break;
    case Role::kDialer:
      AllowNetwork(filter);
      break;
    case Role::kWindow:
    case Role::kSupervisor:
      break;
  }
  return filter.Load();
}

Status LoadSupervisorFilter() {
  Filter filter(SCMP_ACT_ALLOW);
  filter.Add(SCMP_ACT_KILL_PROCESS, ForeignCalls());
  filter.Add(SCMP_ACT_ERRNO(EPERM), IntrusiveCalls());
  return filter.Load();
}

}  // namespace

Status LoadSyscallFilter(Role role) {
  return role == Role::kSupervisor ? LoadSupervisorFilter() : LoadRoleFilter(role);
}

}  // namespace sidecar::hardening
