#include "sidecar/dialer/relay.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "sidecar/dialer/stream_io.h"

namespace sidecar::dialer {
namespace {

// One TLS record.
constexpr size_t kBufferBytes = size_t{16} << 10;

/// One direction. Reads only when everything read before has been written. What was written does
/// not stay: of the endpoints of managed identities it is no ciphertext.
class Flow {
 public:
  Flow(int from, int to) : from_(from), to_(to) {}
  Flow(const Flow&) = delete;
  Flow& operator=(const Flow&) = delete;
  ~Flow() { explicit_bzero(buffer_.data(), end_); }
  [[nodiscard]] bool finished() const { return finished_; }
  [[nodiscard]] bool wants_read() const { return !finished_ && begin_ == end_; }
  [[nodiscard]] bool wants_write() const { return begin_ != end_; }

  /// False: the connection has failed.
  bool Read() {
    const ssize_t got = recv(from_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    begin_ = 0;
    end_ = static_cast<size_t>(got);
    if (got == 0) {
      finished_ = true;
      shutdown(to_, SHUT_WR);
    }
    return true;
  }
  bool Write() {
    const ssize_t sent = send(to_, buffer_.data() + begin_, end_ - begin_, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    begin_ += static_cast<size_t>(sent);
    if (begin_ == end_) explicit_bzero(buffer_.data(), end_);
    return true;
  }

 private:
  int from_, to_;
  size_t begin_ = 0, end_ = 0;
  bool finished_ = false;
  std::array<char, kBufferBytes> buffer_;
};

void MakeNonBlocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

/// What to ask poll of the socket that `in` reads from and `out` writes to.
pollfd Question(int fd, const Flow& in, const Flow& out) {
  const auto events =
      static_cast<short>((in.wants_read() ? POLLIN : 0) | (out.wants_write() ? POLLOUT : 0));
  // With data of it still to be delivered elsewhere, not even its end is of interest: poll would
  // report a hang-up again and again.
  const bool later = events == 0 && !in.finished();
  return {later ? -1 : fd, events, 0};
}

/// False: the connection has failed, or nobody is left to receive.
bool Move(short ready, Flow& in, Flow& out) {
  constexpr short kGone = POLLHUP | POLLERR;
  if ((ready & (POLLIN | kGone)) != 0 && in.wants_read() && !in.Read()) return false;
  if ((ready & (POLLOUT | kGone)) != 0 && out.wants_write() && !out.Write()) return false;
  return (ready & kGone) == 0 || !in.finished() || out.finished();
}

}  // namespace

void Relay(int a, int b, const RelayLimits& limits) {
  MakeNonBlocking(a);
  MakeNonBlocking(b);
  Flow out(a, b);
  Flow back(b, a);
  const Deadline end = std::chrono::steady_clock::now() + limits.total;
  while (!(out.finished() && back.finished())) {
    std::array<pollfd, 2> sockets{Question(a, out, back), Question(b, back, out)};
    const Deadline now = std::chrono::steady_clock::now();
    if (now >= end) return;
    const int ready = poll(sockets.data(), 2, RemainingMs(std::min(end, now + limits.idle)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return;
    if (!Move(sockets[0].revents, out, back) || !Move(sockets[1].revents, back, out)) return;
  }
}

}  // namespace sidecar::dialer
