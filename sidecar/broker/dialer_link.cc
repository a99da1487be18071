#include "sidecar/broker/dialer_link.h"

#include <sys/socket.h>

#include <array>
#include <string>
#include <utility>

#include "sidecar/ipc/messages.h"

namespace sidecar::broker_role {

using broker::ErrorCode, broker::Fail;

void DialerLink::Reset(ipc::Fd channel) {
  const std::scoped_lock lock(mutex_);
  channel_ = std::move(channel);
}

broker::Result<int> DialerLink::OpenStream() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return Fail(ErrorCode::kUnavailable, "socketpair failed");
  }
  ipc::Fd ours(ends[0]);
  const ipc::Fd theirs(ends[1]);
  std::string message;
  ipc::Encode(ipc::TextMessage{ipc::MessageType::kDial, {}}, &message);
  const std::scoped_lock lock(mutex_);
  if (!channel_.valid()) return Fail(ErrorCode::kUnavailable, "the dialer is restarting");
  const auto sent = ipc::Send(channel_.get(), message, {theirs.get()}, /*nonblocking=*/true);
  if (!sent) return std::unexpected(sent.error());
  return ours.Release();
}

}  // namespace sidecar::broker_role
