#include "sidecar/supervisor/listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "sidecar/supervisor/access_list.h"

namespace sidecar::supervisor {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result, broker::Status;

std::unexpected<broker::Error> FailOn(const std::string& path, const std::string& what) {
  return Fail(ErrorCode::kInvalidRequest, path + ": " + what);
}

// The socket is not listening yet: nobody can connect before its permissions stand.
Status Permit(const std::string& path, const SocketAccess& access) {
  constexpr mode_t kMode = 0660;
  constexpr mode_t kOpenMode = 0666;
  constexpr uid_t kUnchanged = ~0U;
  if (access.everybody) {
    if (chmod(path.c_str(), kOpenMode) == 0) return {};
    return FailOn(path, std::string("chmod: ") + strerrorname_np(errno));
  }
  const bool own = access.uid && *access.uid == geteuid();
  const gid_t gid = access.gids.empty() ? kUnchanged : access.gids.front();
  const bool by_mode = access.gids.size() <= 1 && (!access.uid || (own && access.gids.empty()));
  if (by_mode && chown(path.c_str(), kUnchanged, gid) == 0) {
    if (chmod(path.c_str(), kMode) == 0) return {};
    return FailOn(path, std::string("chmod: ") + strerrorname_np(errno));
  }
  // A user gets an ACL: as the owner of its socket it could let others in.
  constexpr uint16_t kReadWrite = 6;
  const std::string acl = Encode({.owner = kReadWrite,
                                  .group = 0,
                                  .uid = access.uid,
                                  .gids = access.gids,
                                  .named = kReadWrite});
  if (setxattr(path.c_str(), kAccessAcl, acl.data(), acl.size(), 0) == 0) return {};
  const std::string why = strerrorname_np(errno);
  // On a file system without them (rare for /run) owning it is the only way to one user.
  if (access.uid && access.gids.empty() && chown(path.c_str(), *access.uid, kUnchanged) == 0 &&
      chmod(path.c_str(), kMode) == 0) {
    return {};
  }
  return FailOn(path, "cannot be given to those who may connect (" + why +
                          "): start purserd as root, or use one group");
}

}  // namespace

Listener::~Listener() { Remove(); }

Listener& Listener::operator=(Listener&& other) noexcept {
  if (this != &other) {
    Remove();
    path_ = std::move(other.path_);
    fd_ = std::move(other.fd_);
    access_ = std::move(other.access_);
  }
  return *this;
}

void Listener::Remove() {
  if (fd_.valid() && !path_.empty()) unlink(path_.c_str());
}

Status Listener::TakePlaceOf(Listener& old) {
  if (rename(path_.c_str(), old.path_.c_str()) != 0) {
    return FailOn(path_, "cannot become " + old.path_ + ": " + strerrorname_np(errno));
  }
  path_ = std::exchange(old.path_, {});
  return {};
}

Result<Listener> Listener::Open(const std::string& path, const SocketAccess& access) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return FailOn(path, "is too long for a socket (107 bytes): choose a shorter [paths] run");
  }
  std::ranges::copy(path, address.sun_path);
  ipc::Fd socket_fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_fd.valid()) return FailOn(path, std::string("socket: ") + strerrorname_np(errno));
  struct stat status{};
  if (lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) unlink(path.c_str());
  const mode_t before = umask(0177);
  const int bound =
      bind(socket_fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  umask(before);
  if (bound != 0) return FailOn(path, std::string("bind: ") + strerrorname_np(errno));
  Listener listener(path, std::move(socket_fd), access);
  if (Status permitted = Permit(path, access); !permitted) {
    return std::unexpected(permitted.error());
  }
  if (listen(listener.fd(), kBacklog) != 0) {
    return FailOn(path, std::string("listen: ") + strerrorname_np(errno));
  }
  return listener;
}

}  // namespace sidecar::supervisor
