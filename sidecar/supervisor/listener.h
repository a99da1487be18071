// sidecar/supervisor/listener.h: one listening socket with its permissions.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "broker/base/result.h"
#include "sidecar/ipc/frame.h"

namespace sidecar::supervisor {

/// Who may connect at all; the attestation of each connection decides.
struct SocketAccess {
  std::optional<uint32_t> uid;
  std::vector<uint32_t> gids;
  bool everybody = false;
  bool operator==(const SocketAccess&) const = default;
};

/// A bound and listening stream socket, non-blocking. The path goes when this goes.
class Listener {
 public:
  // Connections of one agent that wait while the others of the round are served.
  static constexpr int kBacklog = 1024;

  Listener() = default;
  ~Listener();
  Listener(Listener&& other) noexcept = default;
  Listener& operator=(Listener&& other) noexcept;

  /// Binds `path` (replacing a socket that an earlier run left) with mode 0660, or 0666 for
  /// everybody. It belongs to purser; one group has it by ownership, a user and several groups by
  /// an access control list (acl(5)). Only where the file system has none does a user own its
  /// socket. Errors: kInvalidRequest (path too long, not permitted; the text says what to do).
  static broker::Result<Listener> Open(const std::string& path, const SocketAccess& access);

  /// Moves this socket to the path of `old`, which has none from then on: in one step, so that who
  /// connects finds one of the two. Errors: kInvalidRequest; then both stay where they are.
  broker::Status TakePlaceOf(Listener& old);

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] const SocketAccess& access() const { return access_; }

 private:
  Listener(std::string path, ipc::Fd fd, SocketAccess access)
      : path_(std::move(path)), fd_(std::move(fd)), access_(std::move(access)) {}
  void Remove();
  std::string path_;  // empty: another socket has it now
  ipc::Fd fd_;
  SocketAccess access_;
};

}  // namespace sidecar::supervisor
