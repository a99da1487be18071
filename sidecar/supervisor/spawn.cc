#include "sidecar/supervisor/spawn.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "sidecar/ipc/control.h"

namespace sidecar::supervisor {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result;

constexpr int kCannotExec = 126;  // as a shell reports it

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

[[noreturn]] void GiveUp(const char* what) {
  const std::string line =
      std::string("purserd: a role cannot start: ") + what + ": " + strerrorname_np(errno) + "\n";
  [[maybe_unused]] const ssize_t ignored = write(STDERR_FILENO, line.data(), line.size());
  _exit(kCannotExec);
}

// Every signal at its default and none blocked: ignored ones would survive exec.
void ResetSignals() {
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Moves both out of the way first: either number may be a target of the other.
void PlaceDescriptors(const SpawnRequest& request) {
  const int log = fcntl(request.log, F_DUPFD_CLOEXEC, ipc::kControlFd + 1);
  const int control = fcntl(request.control, F_DUPFD_CLOEXEC, ipc::kControlFd + 1);
  if (log < 0 || control < 0) GiveUp("F_DUPFD_CLOEXEC");
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) GiveUp("/dev/null");
  if (dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
      dup2(log, STDERR_FILENO) < 0 || dup2(control, ipc::kControlFd) < 0) {
    GiveUp("dup2");
  }
  if (syscall(SYS_close_range, ipc::kControlFd + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
    GiveUp("close_range");
}

void BecomeUser(const RunAs& user) {
  // While it may: the role itself has no CAP_SETPCAP any more. Ends with the kernel's last one.
  for (int capability = 0; prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; ++capability) {
  }
  if (setgroups(0, nullptr) != 0) GiveUp("setgroups");
  if (setresgid(user.gid, user.gid, user.gid) != 0) GiveUp("setresgid");
  if (setresuid(user.uid, user.uid, user.uid) != 0) GiveUp("setresuid");
  if (user.uid != 0 && setuid(0) == 0) {
    errno = EPERM;
    GiveUp("the way back to root is open");
  }
}

[[noreturn]] void RunChild(const SpawnRequest& request, int executable, pid_t parent,
                           char* const* arguments, char* const* environment) {
  ResetSignals();
  PlaceDescriptors(request);
  umask(request.umask);
  const rlimit no_core{0, 0};
  if (setrlimit(RLIMIT_CORE, &no_core) != 0) GiveUp("RLIMIT_CORE");
  if (request.run_as) BecomeUser(*request.run_as);
  // After the change of user, which clears it.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) GiveUp("PR_SET_PDEATHSIG");
  if (getppid() != parent) _exit(kCannotExec);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) GiveUp("PR_SET_NO_NEW_PRIVS");
  syscall(SYS_execveat, executable, "", arguments, environment, AT_EMPTY_PATH);
  GiveUp("execveat");
}

}  // namespace

Result<Child> Spawn(const SpawnRequest& request) {
  const std::vector<char*> arguments = Pointers(request.arguments);
  const std::vector<char*> environment = Pointers(request.environment);
  // Out of the range that the child's own descriptors take.
  const ipc::Fd executable(fcntl(request.executable, F_DUPFD_CLOEXEC, ipc::kControlFd + 1));
  if (!executable.valid()) return Fail(ErrorCode::kUnavailable, "no descriptor for the executable");
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    RunChild(request, executable.get(), parent, arguments.data(), environment.data());
  }
  if (pid < 0) {
    return Fail(ErrorCode::kUnavailable, std::string("fork: ") + strerrorname_np(errno));
  }
  // Not reaped yet, so the pid is still this child's.
  ipc::Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.valid()) {
    const int error = errno;
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    return Fail(ErrorCode::kUnavailable, std::string("pidfd_open: ") + strerrorname_np(error));
  }
  return Child{pid, std::move(pidfd)};
}

std::string Reap(const Child& child) {
  siginfo_t how{};
  int result = 0;
  do {
    result = waitid(P_PID, static_cast<id_t>(child.pid), &how, WEXITED);
  } while (result != 0 && errno == EINTR);
  if (result != 0) return "unknown";
  return (how.si_code == CLD_EXITED ? "status " : "signal ") + std::to_string(how.si_status);
}

void Kill(const Child& child) {
  syscall(SYS_pidfd_send_signal, child.pidfd.get(), SIGKILL, nullptr, 0);
}

}  // namespace sidecar::supervisor
