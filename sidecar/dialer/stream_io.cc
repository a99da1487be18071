#include "sidecar/dialer/stream_io.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <limits>

namespace sidecar::dialer {

int RemainingMs(Deadline deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, std::numeric_limits<int>::max()));
}

bool WaitFor(int fd, short events, Deadline deadline) {
  pollfd waiting{fd, events, 0};
  int ready = 0;
  do {
    ready = poll(&waiting, 1, RemainingMs(deadline));
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

bool SendAll(int fd, std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    if (!WaitFor(fd, POLLOUT, deadline)) return false;
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
    } else if (errno != EINTR && errno != EAGAIN) {
      return false;
    }
  }
  return true;
}

size_t ReceiveSome(int fd, std::span<char> into, Deadline deadline) {
  while (WaitFor(fd, POLLIN, deadline)) {
    const ssize_t got = recv(fd, into.data(), into.size(), MSG_DONTWAIT);
    if (got >= 0) return static_cast<size_t>(got);
    if (errno != EINTR && errno != EAGAIN) return 0;
  }
  return 0;
}

}  // namespace sidecar::dialer
