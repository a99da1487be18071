#include "test/sidecar/hardening/attempts.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace {

bool Done(long result) { return result >= 0; }

bool ConnectInet(const Target& target) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(std::stoi(target.inet_port)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return fd >= 0 && Done(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)));
}

bool Listen(const Target&) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return fd >= 0 && Done(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address))) &&
         Done(listen(fd, 1));
}

bool ConnectUnix(const Target& target) {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  target.unix_socket.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return fd >= 0 && Done(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)));
}

bool ExecuteFromMemory(const Target&) {
  const int from = open("/bin/true", O_RDONLY);
  const int image = memfd_create("image", 0);
  if (image < 0) return false;
  std::array<char, 4096> block{};
  for (ssize_t got = 0; (got = read(from, block.data(), block.size())) > 0;) {
    if (write(image, block.data(), static_cast<size_t>(got)) != got) return false;
  }
  char* const none[] = {nullptr};
  return Done(syscall(SYS_execveat, image, "", none, none, AT_EMPTY_PATH));
}

bool ReadVictim(const Target& target) {
  uint64_t bytes = 0;
  iovec here{&bytes, sizeof(bytes)};
  iovec there{target.address, sizeof(bytes)};
  return Done(process_vm_readv(target.victim, &here, 1, &there, 1, 0));
}

bool WriteVictim(const Target& target) {
  uint64_t bytes = 7;
  iovec here{&bytes, sizeof(bytes)};
  iovec there{target.address, sizeof(bytes)};
  return Done(process_vm_writev(target.victim, &here, 1, &there, 1, 0));
}

bool ReadVictimThroughProc(const Target& target) {
  const std::string path = "/proc/" + std::to_string(target.victim) + "/mem";
  const int fd = open(path.c_str(), O_RDONLY);
  uint64_t bytes = 0;
  return fd >= 0 && Done(pread(fd, &bytes, sizeof(bytes), reinterpret_cast<off_t>(target.address)));
}

bool SignalByPidfd(const Target& target) {
  const auto pidfd = static_cast<int>(syscall(SYS_pidfd_open, target.victim, 0));
  return pidfd >= 0 && Done(syscall(SYS_pidfd_send_signal, pidfd, 0, nullptr, 0));
}

bool LimitVictim(const Target& target) {
  const rlimit limit{64, 64};
  return Done(prlimit(target.victim, RLIMIT_NOFILE, &limit, nullptr));
}

bool StartProcess(const Target&) {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  return child > 0 && waitpid(child, nullptr, 0) == child;
}

bool StartProcessByClone3(const Target&) {
  std::array<uint64_t, 8> arguments{};
  arguments[4] = SIGCHLD;  // exit_signal
  const long child = syscall(SYS_clone3, arguments.data(), sizeof(arguments));
  if (child == 0) _exit(0);
  return child > 0;
}

bool StartThread(const Target&) {
  pthread_t thread{};
  errno = pthread_create(&thread, nullptr, [](void*) -> void* { return nullptr; }, nullptr);
  return errno == 0 && pthread_join(thread, nullptr) == 0;
}

bool MapCode(const Target&) {
  return mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
         MAP_FAILED;
}

bool TurnDataIntoCode(const Target&) {
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return page != MAP_FAILED && Done(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

bool Bpf(const Target&) {
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = attributes.value_size = sizeof(uint32_t);
  attributes.max_entries = 1;
  return Done(syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes)));
}

bool PerfEvent(const Target&) {
  perf_event_attr attributes{};
  attributes.size = sizeof(attributes);
  return Done(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
}

bool IoUring(const Target&) {
  io_uring_params parameters{};
  return Done(syscall(SYS_io_uring_setup, 1, &parameters));
}

bool OpenAt2(const Target& target) {
  open_how how{};
  how.flags = O_RDONLY;
  return Done(syscall(SYS_openat2, AT_FDCWD, target.file.c_str(), &how, sizeof(how)));
}

bool Execute(const Target&) {
  char* const none[] = {nullptr};
  return Done(execve("/bin/true", none, none));
}

bool OwnSignals(const Target& target) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), 0) != 0) return false;
  return Done(fcntl(ends[0], F_SETOWN, target.victim));
}

bool BecomeDumpable(const Target&) { return Done(prctl(PR_SET_DUMPABLE, 1)); }

std::string Aside(const Target& target) { return target.file + ".aside"; }

// clang-format off
constexpr std::array kAttempts{
    // files
    Attempt{"open a file that is not its own", [](const Target& t) { return Done(open(t.file.c_str(), O_RDONLY)); }, true},
    Attempt{"open it with openat2", OpenAt2, true},
    Attempt{"create one beside it", [](const Target& t) { return Done(creat(Aside(t).c_str(), 0600)); }, true},
    Attempt{"append to it", [](const Target& t) { return Done(open(t.file.c_str(), O_WRONLY | O_APPEND)); }, true},
    Attempt{"list its folder", [](const Target& t) { return opendir(t.file.substr(0, t.file.rfind('/')).c_str()) != nullptr; }, true},
    Attempt{"truncate it by path", [](const Target& t) { return Done(truncate(t.file.c_str(), 0)); }, true},
    Attempt{"truncate its own file by path", [](const Target& t) { return Done(truncate(t.own_file.c_str(), 0)); }, true},
    Attempt{"truncate its own file while opening it", [](const Target& t) { return Done(open(t.own_file.c_str(), O_WRONLY | O_TRUNC)); }, true},
    Attempt{"chmod it", [](const Target& t) { return Done(chmod(t.file.c_str(), 0666)); }, true},
    Attempt{"chmod its own file", [](const Target& t) { return Done(fchmodat(AT_FDCWD, t.own_file.c_str(), 0666, 0)); }, true},
    Attempt{"chmod an open file", [](const Target&) { return Done(fchmod(STDIN_FILENO, 0600)); }, false},
    Attempt{"chown it", [](const Target& t) { return Done(chown(t.file.c_str(), getuid(), getgid())); }, true},
    Attempt{"rename it", [](const Target& t) { return Done(rename(t.file.c_str(), Aside(t).c_str())); }, true},
    Attempt{"link it", [](const Target& t) { return Done(link(t.file.c_str(), (t.file + ".link").c_str())); }, true},
    Attempt{"make a symbolic link", [](const Target& t) { return Done(symlink("/etc/passwd", (t.own_file + ".sym").c_str())); }, true},
    Attempt{"make a folder", [](const Target& t) { return Done(mkdir((t.own_file + ".d").c_str(), 0700)); }, true},
    Attempt{"unlink it", [](const Target& t) { return Done(unlink(t.file.c_str())); }, true},
    Attempt{"unlink its own file", [](const Target& t) { return Done(unlinkat(AT_FDCWD, t.own_file.c_str(), 0)); }, true},
    Attempt{"watch its folder", [](const Target& t) { return Done(inotify_add_watch(inotify_init1(0), t.file.c_str(), IN_ACCESS)); }, true},
    Attempt{"change its times", [](const Target& t) { return Done(utimes(t.own_file.c_str(), nullptr)); }, true},
    // network
    Attempt{"connect to the network", ConnectInet, true},
    Attempt{"listen on the network", Listen, true},
    Attempt{"connect to a Unix socket", ConnectUnix, true},
    Attempt{"open a raw socket", [](const Target&) { return Done(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)); }, false},
    Attempt{"open a packet socket", [](const Target&) { return Done(socket(AF_PACKET, SOCK_RAW, 0)); }, false},
    // processes
    Attempt{"execute a program", Execute, true},
    Attempt{"execute from memory", ExecuteFromMemory, true},
    Attempt{"start a process", StartProcess, true},
    Attempt{"start a process with vfork's flags", [](const Target&) { return Done(syscall(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD | CLONE_UNTRACED, nullptr)); }, false},
    Attempt{"start a process with clone3", StartProcessByClone3, true},
    Attempt{"start a thread", StartThread, true},
    Attempt{"trace another process", [](const Target& t) { return Done(ptrace(PTRACE_SEIZE, t.victim, nullptr, nullptr)); }, true},
    Attempt{"let itself be traced", [](const Target&) { return Done(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)); }, true},
    Attempt{"kill another process", [](const Target& t) { return Done(kill(t.victim, SIGURG)); }, true},
    Attempt{"kill a thread of another process", [](const Target& t) { return Done(syscall(SYS_tgkill, t.victim, t.victim, SIGURG)); }, true},
    Attempt{"kill through a pidfd", SignalByPidfd, true},
    Attempt{"have signals sent to another process", OwnSignals, true},
    Attempt{"limit another process", LimitVictim, true},
    Attempt{"raise its own limits", [](const Target&) { const rlimit limit{1 << 20, 1 << 20}; return Done(setrlimit(RLIMIT_CORE, &limit)); }, false},
    Attempt{"read another process's memory", ReadVictim, true},
    Attempt{"write another process's memory", WriteVictim, true},
    Attempt{"read another process's memory through /proc", ReadVictimThroughProc, true},
    Attempt{"take another process's descriptors", [](const Target& t) { return Done(syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, t.victim, 0), 0, 0)); }, true},
    Attempt{"renice another process", [](const Target& t) { return Done(setpriority(PRIO_PROCESS, static_cast<id_t>(t.victim), 19)); }, true},
    Attempt{"become dumpable", BecomeDumpable, true},
    Attempt{"change its user", [](const Target&) { return Done(syscall(SYS_setresuid, getuid(), getuid(), getuid())); }, true},
    // memory and kernel
    Attempt{"map new code", MapCode, true},
    Attempt{"turn data into code", TurnDataIntoCode, true},
    Attempt{"share memory by key", [](const Target&) { return Done(shmget(IPC_PRIVATE, 4096, 0600)); }, true},
    Attempt{"make a memory file", [](const Target&) { return Done(memfd_create("x", 0)); }, true},
    Attempt{"use io_uring", IoUring, false},
    Attempt{"use userfaultfd", [](const Target&) { return Done(syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */)); }, false},
    Attempt{"use bpf", Bpf, false},
    Attempt{"use perf events", PerfEvent, false},
    Attempt{"mount", [](const Target&) { return Done(mount("none", "/tmp", "tmpfs", 0, nullptr)); }, false},
    Attempt{"enter a new user namespace", [](const Target&) { return Done(unshare(CLONE_NEWUSER)); }, false},
    Attempt{"chroot", [](const Target&) { return Done(chroot("/tmp")); }, false},
    Attempt{"use keyrings", [](const Target&) { return Done(syscall(SYS_keyctl, 0, -3, 1)); }, false},
};
// clang-format on

}  // namespace

std::span<const Attempt> AllAttempts() { return kAttempts; }
