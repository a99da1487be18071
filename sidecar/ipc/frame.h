// sidecar/ipc/frame.h: messages over a SOCK_SEQPACKET pair. IPC.md has the format.
#pragma once
#include <array>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/base/result.h"

namespace sidecar::ipc {

/// Owns a descriptor. Move-only.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { Reset(); }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      Reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }
  [[nodiscard]] int Release() { return std::exchange(fd_, -1); }
  void Reset();

 private:
  int fd_ = -1;
};

// SEQPACKET refuses frames somewhere above 212,000 bytes; 32 KiB also bounds what a hostile peer
// can queue in the kernel for one frame.
inline constexpr size_t kMaxFrameBytes = size_t{32} << 10;
// Largest message of any role: an answer of GET /v1/audit, with room for the largest request body.
inline constexpr size_t kMaxMessageBytes = size_t{1} << 20;
// A connection needs two: the agent's socket and one end of a pair.
inline constexpr size_t kMaxFds = 4;

struct Message {
  std::string bytes;
  std::vector<Fd> fds;
  size_t filled = 0;  // how much of the buffer earlier messages filled since the last WipeMessage
};

/// A connected pair of sequenced-packet sockets, close-on-exec. Errors: kUnavailable.
broker::Result<std::pair<Fd, Fd>> MakePair();

/// Sends one message, split into frames; descriptors travel with the first. Blocks while the peer's
/// queue is full (with `nonblocking`, kUnavailable instead; then nothing was sent only if the
/// message fits one frame). Not atomic between threads: one sender at a time.
/// Errors: kUnavailable (peer gone), kInvalidRequest (over kMaxMessageBytes).
broker::Status Send(int fd, std::string_view bytes, const std::vector<int>& fds = {},
                    bool nonblocking = false);

/// Receives one whole message. Descriptors arrive close-on-exec. `*message` is reused: give the
/// same one again to save allocations.
/// Errors: kUnavailable (peer closed; with `nonblocking`, nothing there: detail "empty") · kCorrupt
/// (oversized, truncated, bad continuation, more descriptors than kMaxFds): close the channel.
broker::Status Receive(int fd, Message* message, bool nonblocking = false);

/// Appends the next frame without waiting for it: true when the message is whole, false while more
/// frames are to come. For a receiver that serves many. REQUIRES: a new message begins empty.
/// Errors: as Receive with `nonblocking`.
broker::Result<bool> ReceiveNext(int fd, Message* message);

/// Receives a message of one frame and never waits, not even for a peer that announces more and then
/// keeps silent: for a receiver that serves many. Errors: as Receive; kCorrupt for more frames.
broker::Status ReceiveShort(int fd, Message* message);

/// Sends the frames of `*rest` that the peer's queue takes, and never waits: removes them from
/// `*rest`, which is empty once the message is sent. REQUIRES: not empty, and at most
/// kMaxMessageBytes at first. Errors: kUnavailable (peer gone).
broker::Status SendPart(int fd, std::string_view* rest);

/// Wipes bytes that held a token or an unsealing key.
void WipeMessage(Message* message);

}  // namespace sidecar::ipc
