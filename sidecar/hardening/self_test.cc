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

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <string>
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

bool CanConnect() {
  const sockaddr none{};  // of no length: let through, it comes back with EINVAL or ENOTSOCK
  return connect(STDIN_FILENO, &none, 0) == 0 || !WasRefused();
}

bool HasCapabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
  if (syscall(SYS_capget, &header, sets) != 0) return false;
  return (sets[0].permitted | sets[1].permitted) != 0;
}

class Report {
 public:
  explicit Report(Role role) : role_(NameOf(role)) {}
  /// `name` and `what` go on after the role's: "broker_opens_files", "the broker can open files".
  void If(bool possible, std::string_view name, std::string_view what, std::string_view remedy) {
    if (!possible) return;
    findings_.push_back({role_ + '_' + std::string(name), "the " + role_ + ' ' + std::string(what),
                         std::string(remedy)});
  }
  Findings Take() { return std::move(findings_); }

 private:
  std::string role_;
  Findings findings_;
};

void TryProcesses(Report& report, const std::vector<pid_t>& pids) {
  const auto any = [&pids](bool (*attempt)(pid_t)) { return std::ranges::any_of(pids, attempt); };
  report.If(any(CanReadMemory), "reads_memory", "can read the memory of another role",
            kSandboxAdvice);
  report.If(any(CanAttach), "traces", "can trace another role", kSandboxAdvice);
  report.If(any(CanLimit), "limits", "can change the limits of another role", kSandboxAdvice);
  report.If(any([](pid_t pid) { return kill(pid, 0) == 0; }), "signals", "can signal another role",
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
  report.If(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0, "dumpable", "can be dumped", kSandboxAdvice);
  report.If(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1, "gains_privileges", "can gain privileges",
            kSandboxAdvice);
  if (role == Role::kSupervisor) return report.Take();

  for (const std::string& path : off_limits) {
    report.If(CanOpen(path.c_str()), "opens_off_limits", "can open " + path, kFilesAdvice);
  }
  if (role == Role::kWindow || role == Role::kBroker) {
    report.If(CanOpen("/"), "opens_files", "can open files", kSandboxAdvice);
  }
  if (role != Role::kDialer) {
    report.If(CanOpenSocket(AF_INET), "opens_network", "can open network sockets", kSandboxAdvice);
    report.If(CanConnect(), "connects", "can connect sockets", kSandboxAdvice);
  }
  report.If(CanOpenSocket(AF_UNIX), "opens_unix", "can open Unix sockets", kSandboxAdvice);
  report.If(CanExecute(), "executes", "can execute programs", kSandboxAdvice);
  report.If(HasCapabilities(), "has_capabilities", "has capabilities", kSandboxAdvice);
  TryProcesses(report, relatives.pids);
  return report.Take();
}

}  // namespace sidecar::hardening
