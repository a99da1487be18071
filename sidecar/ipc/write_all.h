// sidecar/ipc/write_all.h: writing to a descriptor that blocks, for every role and the command.
#pragma once
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace sidecar {

/// All of `bytes`, however often the kernel takes a part or a signal comes between. False with
/// errno set: some of them may be written. Fit for a signal handler.
[[nodiscard]] inline bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote == 0) errno = EIO;  // or it would be asked for ever
    if (wrote <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
  return true;
}

}  // namespace sidecar
