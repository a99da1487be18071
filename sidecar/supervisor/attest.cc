#include "sidecar/supervisor/attest.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>

#include "sidecar/supervisor/cgroup.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77  // Linux 6.5; Debian 12's headers are older
#endif

namespace sidecar::supervisor {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result, broker::Status;
using broker::policy::Facts;
using ipc::Fd;

std::unexpected<broker::Error> FailErrno(const char* what) {
  return Fail(ErrorCode::kUnavailable, std::string(what) + ": " + strerrorname_np(errno));
}

Status ReadCredentials(int socket, Facts* facts) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return FailErrno("SO_PEERCRED");
  }
  facts->uid = peer.uid;
  facts->gid = peer.gid;
  facts->pid = peer.pid;
  return {};
}

Status ReadGroups(int socket, Facts* facts) {
  std::vector<uint32_t> groups(Attestor::kMaxGroups);
  auto size = static_cast<socklen_t>(groups.size() * sizeof(uint32_t));
  if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) {
    if (errno == ERANGE) return Fail(ErrorCode::kDenied, "the peer is in too many groups");
    return FailErrno("SO_PEERGROUPS");
  }
  groups.resize(size / sizeof(uint32_t));
  groups.push_back(facts->gid);
  facts->groups = std::move(groups);
  return {};
}

bool HasExited(int pidfd) {
  pollfd waiting{.fd = pidfd, .events = POLLIN, .revents = 0};
  return poll(&waiting, 1, 0) != 0;  // an error counts as gone
}

// One read: these files are made on the fly, and short.
std::string ReadProcFile(int proc, const char* name) {
  constexpr size_t kLongest = size_t{16} << 10;  // v1 lists a dozen paths of at most 4 KiB
  const Fd file(openat(proc, name, O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return {};
  std::string text(kLongest, '\0');
  const ssize_t got = read(file.get(), text.data(), text.size());
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return text;
}

std::optional<uint32_t> ReadLoginUid(int proc) {
  const std::string text = ReadProcFile(proc, "loginuid");
  uint32_t uid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), uid);
  // The kernel prints (uid_t)-1 for a process that nobody's login started.
  if (error != std::errc() || uid == std::numeric_limits<uint32_t>::max()) return std::nullopt;
  return uid;
}

}  // namespace

Result<Fd> Attestor::OpenPidfd(int socket, int32_t pid) const {
  if (from_ != PidfdFrom::kPidOnly) {
    int received = -1;
    socklen_t size = sizeof(received);
    if (getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &received, &size) == 0) return Fd(received);
    if (errno == ESRCH) return Fail(ErrorCode::kDenied, "the peer has exited");
    // Only "no such option" may lead to the weaker way.
    if (errno != ENOPROTOOPT || from_ == PidfdFrom::kSocketOnly) return FailErrno("SO_PEERPIDFD");
  }
  Fd opened(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (opened.valid()) return opened;
  if (errno == ESRCH) return Fail(ErrorCode::kDenied, "the peer has exited");
  return FailErrno("pidfd_open");
}

Status Attestor::Attest(int socket, const ExeWanted& wanted, Peer* peer) {
  Facts& facts = peer->facts;
  if (Status read = ReadCredentials(socket, &facts); !read) return read;
  if (Status read = ReadGroups(socket, &facts); !read) return read;
  if (facts.pid <= 0) return {};  // another pid namespace: user and group still hold

  Result<Fd> pidfd = OpenPidfd(socket, facts.pid);
  if (!pidfd) return std::unexpected(pidfd.error());
  peer->pidfd = std::move(*pidfd);

  const std::string path = "/proc/" + std::to_string(facts.pid);
  const Fd proc(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!proc.valid()) return Fail(ErrorCode::kDenied, "the peer has exited");
  struct stat owner{};
  if (fstat(proc.get(), &owner) != 0) return FailErrno("fstat");
  // The directory belongs to the effective user, dumpable or not (proc(5)).
  if (owner.st_uid != facts.uid) return Fail(ErrorCode::kDenied, "the peer changed its user");

  facts.cgroup = ParseCgroupPath(ReadProcFile(proc.get(), "cgroup"));
  facts.systemd_unit = SystemUnitOf(facts.cgroup);
  facts.loginuid = ReadLoginUid(proc.get());
  exe_facts_.Read(proc.get(), wanted.path, wanted.sha256, &facts);

  if (HasExited(peer->pidfd.get())) return Fail(ErrorCode::kDenied, "the peer has exited");
  return {};
}

}  // namespace sidecar::supervisor
