#include "sidecar/hardening/syscall_table.h"

#include <seccomp.h>

#include <array>

namespace sidecar::hardening {
namespace {

// clang-format off: one line for each purpose reads better than one for each call.
// mmap, mprotect, clone, clone3, fcntl, prctl, prlimit64 and tgkill are allowed by argument:
// syscall_filter.cc.
constexpr std::array kCompute{
    // memory
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mlock),
    SCMP_SYS(mlock2), SCMP_SYS(munlock),
    // threads
    SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity), SCMP_SYS(getcpu), SCMP_SYS(membarrier), SCMP_SYS(exit),
    SCMP_SYS(exit_group), SCMP_SYS(set_tid_address),
    // time
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(restart_syscall),
    // signals, its own
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sigaltstack),
    // who it is, and randomness
    SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid),
    SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(capget), SCMP_SYS(getrandom),
    SCMP_SYS(getrusage), SCMP_SYS(sysinfo), SCMP_SYS(uname),
};

constexpr std::array kChannel{
    SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(close),
    SCMP_SYS(recvmsg), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(shutdown),
    SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(eventfd2),
    SCMP_SYS(pipe2), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname),
    SCMP_SYS(getpeername), SCMP_SYS(lseek),
    // glibc's fstat. A path may come with it, and a filter cannot see that: metadata only.
    SCMP_SYS(newfstatat), SCMP_SYS(fstat),
};

constexpr std::array kStoreFiles{
    SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(fdatasync), SCMP_SYS(fsync),
    SCMP_SYS(ftruncate), SCMP_SYS(fallocate),
    // A place for the unsealed key that the supervisor can keep and not map.
    SCMP_SYS(memfd_secret),
};

constexpr std::array kLedgerFiles{
    SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(fdatasync), SCMP_SYS(fsync),
    SCMP_SYS(fallocate), SCMP_SYS(ftruncate), SCMP_SYS(renameat2), SCMP_SYS(getdents64),
};

constexpr std::array kDialer{
    SCMP_SYS(connect), SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg),
};

constexpr std::array kForeign{
    SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register), SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load), SCMP_SYS(init_module), SCMP_SYS(finit_module),
    SCMP_SYS(delete_module), SCMP_SYS(reboot), SCMP_SYS(mount), SCMP_SYS(umount2),
    SCMP_SYS(mount_setattr), SCMP_SYS(move_mount), SCMP_SYS(fsopen), SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount), SCMP_SYS(fspick), SCMP_SYS(open_tree), SCMP_SYS(pivot_root),
    SCMP_SYS(chroot), SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(swapon), SCMP_SYS(swapoff),
    SCMP_SYS(acct), SCMP_SYS(quotactl), SCMP_SYS(iopl), SCMP_SYS(ioperm), SCMP_SYS(modify_ldt),
    SCMP_SYS(kcmp), SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(keyctl),
    SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(clock_adjtime), SCMP_SYS(adjtimex),
    SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(open_by_handle_at),
    SCMP_SYS(process_madvise), SCMP_SYS(pidfd_getfd), SCMP_SYS(syslog), SCMP_SYS(vhangup),
};

constexpr std::array kIntrusive{
    SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
};
// clang-format on

}  // namespace

SyscallList ComputeCalls() { return kCompute; }
SyscallList ChannelCalls() { return kChannel; }
SyscallList StoreFileCalls() { return kStoreFiles; }
SyscallList LedgerFileCalls() { return kLedgerFiles; }
SyscallList DialerCalls() { return kDialer; }
SyscallList ForeignCalls() { return kForeign; }
SyscallList IntrusiveCalls() { return kIntrusive; }

}  // namespace sidecar::hardening
