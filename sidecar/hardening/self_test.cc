#include "sidecar/hardening/self_test.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <functional>
#include <string_view>
#include <utility>

namespace sidecar::hardening {
namespace {

constexpr std::string_view kSandboxAdvice =
    "run on a kernel with seccomp filters (CONFIG_SECCOMP_FILTER), outside sandboxes that lack "
    "them";
constexpr std::string_view kFilesAdvice =
    "start purser as root so that each role gets a user of its own, or use a kernel with Landlock";

/// Refused before the kernel looked at the arguments: by the filter, Landlock or ownership.
bool WasRefused() { return errno == EPERM || errno == EACCES || errno == ENOSYS; }

bool CanOpen(const char* path) {
  // O_PATH would pass even where reading does not.
  const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

bool CanReadMemory(pid_t pid) {
  char byte = 0;
  iovec here{&byte, 1};
  // An address that no process has: let through, it answers EFAULT.
  iovec there{nullptr, 1};
  return process_vm_readv(pid, &here, 1, &there, 1, 0) >= 0 || !WasRefused();
}

bool CanAttach(pid_t pid) {
  // PTRACE_DETACH from one that is not attached changes nothing: ESRCH where ptrace is let through.
  return ptrace(PTRACE_DETACH, pid, nullptr, nullptr) == 0 || !WasRefused();
}

bool CanLimit(pid_t pid) {
  rlimit now{};
  return prlimit(pid, RLIMIT_NOFILE, nullptr, &now) == 0 || !WasRefused();
}

bool CanExecute() {
  // No such file: where execve is let through it comes back with ENOENT.
  char* const none[] = {nullptr};
  execve("", none, none);
  return !WasRefused();
}

bool CanOpenSocket(int family) {
  const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

bool CanConnect() { return connect(-1, nullptr, 0) == 0 || !WasRefused(); }

bool HasCapabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
  if (syscall(SYS_capget, &header, sets) != 0) return false;
  return (sets[0].permitted | sets[1].permitted) != 0;
}

class Report {
 public:
  explicit Report(Role role) : subject_("the " + std::string(NameOf(role))) {}
  void If(bool possible, std::string_view what, std::string_view advice) {
    if (possible) findings_.push_back({subject_ + ' ' + std::string(what), std::string(advice)});
  }
  Findings Take() { return std::move(findings_); }

 private:
  std::string subject_;
  Findings findings_;
};

void TryProcesses(Report& report, const std::vector<pid_t>& pids) {
  const auto any = [&pids](bool (*attempt)(pid_t)) {
    for (const pid_t pid : pids) {
      if (attempt(pid)) return true;
    }
    return false;
  };
  report.If(any(CanReadMemory), "can read the memory of another role", kSandboxAdvice);
  report.If(any(CanAttach), "can trace another role", kSandboxAdvice);
  report.If(any(CanLimit), "can change the limits of another role", kSandboxAdvice);
  report.If(any([](pid_t pid) { return kill(pid, 0) == 0; }), "can signal another role",
            kSandboxAdvice);
}

}  // namespace

Relatives FindRelatives() {
  const pid_t parent = getppid();
  if (parent <= 0) return {};  // in a pid namespace of its own
  Relatives relatives{{parent}};
  const std::string process = std::to_string(parent);
  std::ifstream children("/proc/" + process + "/task/" + process + "/children");
  for (pid_t pid = 0; children >> pid;) {
    if (pid != getpid()) relatives.pids.push_back(pid);
  }
  return relatives;
}

Findings SelfTest(Role role, const std::vector<std::string>& off_limits,
                  const Relatives& relatives) {
  Report report(role);
  report.If(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0, "can be dumped", kSandboxAdvice);
  report.If(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1, "can gain privileges", kSandboxAdvice);
  if (role == Role::kSupervisor) return report.Take();

  for (const std::string& path : off_limits) {
    report.If(CanOpen(path.c_str()), "can open " + path, kFilesAdvice);
  }
  if (role == Role::kWindow || role == Role::kBroker) {
    report.If(CanOpen("/"), "can open files", kSandboxAdvice);
  }
  if (role != Role::kDialer) {
    report.If(CanOpenSocket(AF_INET), "can open network sockets", kSandboxAdvice);
    report.If(CanConnect(), "can connect sockets", kSandboxAdvice);
  }
  report.If(CanOpenSocket(AF_UNIX), "can open Unix sockets", kSandboxAdvice);
  report.If(CanExecute(), "can execute programs", kSandboxAdvice);
  report.If(HasCapabilities(), "has capabilities", kSandboxAdvice);
  TryProcesses(report, relatives.pids);
  return report.Take();
}

}  // namespace sidecar::hardening
