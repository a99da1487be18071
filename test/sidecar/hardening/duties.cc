#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sodium.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "sidecar/ipc/frame.h"
#include "test/sidecar/hardening/attempts.h"

namespace {

constexpr std::string_view kAll = "window broker ledger dialer supervisor";

bool RunThreads(const Target&) {
  int sum = 0;
  std::vector<std::jthread> threads;
  std::mutex mutex;
  for (int i = 1; i <= 4; ++i) {
    threads.emplace_back([&, i] {
      const std::vector<char> own(size_t{1} << 20, static_cast<char>(i));  // an arena of its own
      const std::scoped_lock lock(mutex);
      sum += own.back();
    });
  }
  threads.clear();
  return sum == 10;
}

bool ThrowAndCatch(const Target&) {
  try {
    throw std::runtime_error("x");
  } catch (const std::exception&) {
    return true;
  }
}

bool KeepSecrets(const Target&) {
  if (sodium_init() < 0) return false;
  void* locked = sodium_malloc(64);
  if (locked == nullptr) return false;
  randombytes_buf(locked, 64);
  sodium_free(locked);
  return true;
}

bool SendAndReceive(const Target&) {
  auto pair = sidecar::ipc::MakePair();
  if (!pair) return false;
  sidecar::ipc::Message message;
  pollfd waiting{pair->second.get(), POLLIN, 0};
  return sidecar::ipc::Send(pair->first.get(), "hello", {pair->first.get()}) &&
         poll(&waiting, 1, -1) == 1 && sidecar::ipc::Receive(pair->second.get(), &message) &&
         message.bytes == "hello" && message.fds.size() == 1;
}

bool KeepSecretMemory(const Target&) {
  const auto fd = static_cast<int>(syscall(SYS_memfd_secret, 0));
  if (fd < 0) return errno == ENOSYS;  // the kernel may lack it: the operator unseals then
  return ftruncate(fd, 4096) == 0 &&
         mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED;
}

bool KeepSegments(const Target& target) {
  const std::string folder = target.own_file.substr(0, target.own_file.rfind('/'));
  const int directory = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return false;
  const int segment =
      openat(directory, "new", O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0640);
  struct stat facts{};
  return segment >= 0 && fallocate(segment, FALLOC_FL_KEEP_SIZE, 0, 1 << 16) == 0 &&
         write(segment, "line\n", 5) == 5 && fdatasync(segment) == 0 &&
         fstat(segment, &facts) == 0 && facts.st_size == 5 && fsync(directory) == 0 &&
         renameat2(directory, "new", directory, "torn", RENAME_NOREPLACE) == 0 &&
         ftruncate(segment, 2) == 0 && open(target.own_file.c_str(), O_RDWR) >= 0;
}

bool ResolveAndConnect(const Target& target) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_family = AF_INET;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  if (getaddrinfo("localhost", target.inet_port.c_str(), &hints, &found) != 0) return false;
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const bool connected =
      fd >= 0 && (connect(fd, found->ai_addr, found->ai_addrlen) == 0 || errno == EINPROGRESS);
  freeaddrinfo(found);
  return connected;
}

bool StartAndSignal(const Target& target) {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  return child > 0 && open(target.file.c_str(), O_RDONLY) >= 0;
}

constexpr std::array kDuties{
    Duty{"broker ledger dialer supervisor", "run threads", RunThreads},
    Duty{kAll, "throw and catch", ThrowAndCatch},
    Duty{kAll, "lock memory and draw random numbers", KeepSecrets},
    Duty{"broker supervisor", "make channels and pass descriptors", SendAndReceive},
    Duty{"broker", "keep a key where nobody else can map it", KeepSecretMemory},
    Duty{"ledger", "start, reserve, write, sync and set aside segments", KeepSegments},
    Duty{"dialer", "resolve and connect", ResolveAndConnect},
    Duty{"supervisor", "start processes and open files", StartAndSignal},
};

}  // namespace

std::span<const Duty> AllDuties() { return kDuties; }
