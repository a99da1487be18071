#include "sidecar/ipc/frame.h"

#include <sodium.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sidecar::ipc {
namespace {

using broker::ErrorCode, broker::Fail, broker::Status;

// First byte of each frame.
constexpr char kLastFrame = 0;
constexpr char kMoreFrames = 1;
constexpr size_t kPayloadBytes = kMaxFrameBytes - 1;

struct alignas(cmsghdr) ControlBuffer {
  std::array<char, CMSG_SPACE(sizeof(int) * kMaxFds)> bytes{};
};

// 0, or the errno.
int SendFrame(int fd, char flag, std::string_view payload, const std::vector<int>& fds, int flags) {
  std::array<iovec, 2> parts{{{&flag, 1}, {const_cast<char*>(payload.data()), payload.size()}}};
  msghdr header{};
  header.msg_iov = parts.data();
  header.msg_iovlen = payload.empty() ? 1 : 2;
  ControlBuffer control;
  if (!fds.empty()) {
    header.msg_control = control.bytes.data();
    header.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    std::memcpy(CMSG_DATA(rights), fds.data(), sizeof(int) * fds.size());
  }
  while (sendmsg(fd, &header, flags) < 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

Status NotSent(int error) {
  return Fail(ErrorCode::kUnavailable, std::string("sendmsg: ") + strerrorname_np(error));
}

bool TakeFds(msghdr& header, std::vector<Fd>* fds) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int received = -1;
      std::memcpy(&received, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
      fds->emplace_back(received);
    }
  }
  return (header.msg_flags & MSG_CTRUNC) == 0 && fds->size() <= kMaxFds;
}

// recvmsg without EINTR. What it leaves in `*header` is for TakeFds.
ssize_t ReceiveInto(int fd, msghdr* header, bool nonblocking) {
  while (true) {
    const ssize_t got = recvmsg(fd, header, MSG_CMSG_CLOEXEC | (nonblocking ? MSG_DONTWAIT : 0));
    if (got >= 0 || errno != EINTR) return got;
  }
}

// Appends one frame's payload; whether it was the last of its message.
broker::Result<bool> ReceiveFrame(int fd, Message* message, bool nonblocking) {
  const size_t used = message->bytes.size();
  char flag = kLastFrame;
  ControlBuffer control;
  msghdr header{};
  header.msg_control = control.bytes.data();
  header.msg_controllen = control.bytes.size();
  ssize_t got = 0;
  // Not resize(), which would write 32 KiB of zeros for each message of a few hundred bytes.
  message->bytes.resize_and_overwrite(used + kPayloadBytes, [&](char* buffer, size_t) {
    std::array<iovec, 2> parts{{{&flag, 1}, {buffer + used, kPayloadBytes}}};
    header.msg_iov = parts.data();
    header.msg_iovlen = parts.size();
    got = ReceiveInto(fd, &header, nonblocking);
    return got > 0 ? used + static_cast<size_t>(got) - 1 : used;
  });
  message->filled = std::max(message->filled, message->bytes.size());
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    return Fail(ErrorCode::kUnavailable, "empty");
  }
  const bool fds_fit = TakeFds(header, &message->fds);
  if (got <= 0) {
    return Fail(ErrorCode::kUnavailable, got == 0 ? "peer closed" : strerrorname_np(errno));
  }
  const bool flag_known = flag == kLastFrame || (flag == kMoreFrames && got > 1);
  if (!fds_fit || !flag_known || (header.msg_flags & MSG_TRUNC) != 0 ||
      message->bytes.size() > kMaxMessageBytes) {
    return Fail(ErrorCode::kCorrupt, "malformed frame");
  }
  return flag == kLastFrame;
}

}  // namespace

void Fd::Reset() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

broker::Result<std::pair<Fd, Fd>> MakePair() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return Fail(ErrorCode::kUnavailable, std::string("socketpair: ") + strerrorname_np(errno));
  }
  return std::pair{Fd(ends[0]), Fd(ends[1])};
}

Status Send(int fd, std::string_view bytes, const std::vector<int>& fds, bool nonblocking) {
  if (bytes.size() > kMaxMessageBytes || fds.size() > kMaxFds) {
    return Fail(ErrorCode::kInvalidRequest, "message too large");
  }
  const int flags = MSG_NOSIGNAL | (nonblocking ? MSG_DONTWAIT : 0);
  const std::vector<int> none;
  for (bool first = true;; first = false) {
    const std::string_view payload = bytes.substr(0, kPayloadBytes);
    bytes.remove_prefix(payload.size());
    const char flag = bytes.empty() ? kLastFrame : kMoreFrames;
    if (const int error = SendFrame(fd, flag, payload, first ? fds : none, flags); error != 0) {
      return NotSent(error);
    }
    if (flag == kLastFrame) return {};
  }
}

Status Receive(int fd, Message* message, bool nonblocking) {
  message->bytes.clear();
  message->fds.clear();
  for (bool first = true;; first = false) {
    const auto last = ReceiveFrame(fd, message, nonblocking && first);
    if (!last) return std::unexpected(last.error());
    if (*last) return {};
  }
}

broker::Result<bool> ReceiveNext(int fd, Message* message) {
  return ReceiveFrame(fd, message, /*nonblocking=*/true);
}

Status ReceiveShort(int fd, Message* message) {
  message->bytes.clear();
  message->fds.clear();
  const auto last = ReceiveFrame(fd, message, /*nonblocking=*/true);
  if (!last) return std::unexpected(last.error());
  if (!*last) return Fail(ErrorCode::kCorrupt, "more than one frame");
  return {};
}

Status SendPart(int fd, std::string_view* rest) {
  while (!rest->empty()) {
    const std::string_view payload = rest->substr(0, kPayloadBytes);
    const char flag = payload.size() == rest->size() ? kLastFrame : kMoreFrames;
    const int error = SendFrame(fd, flag, payload, {}, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (error == EAGAIN) return {};
    if (error != 0) return NotSent(error);
    rest->remove_prefix(payload.size());
  }
  return {};
}

void WipeMessage(Message* message) {
  message->bytes.resize(std::max(message->bytes.size(), message->filled));
  sodium_memzero(message->bytes.data(), message->bytes.size());
  message->bytes.clear();
  message->filled = 0;
}

}  // namespace sidecar::ipc
