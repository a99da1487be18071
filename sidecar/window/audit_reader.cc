#include "sidecar/window/audit_reader.h"

#include <poll.h>

#include <utility>

#include "sidecar/ipc/messages.h"

namespace sidecar::window {

void AuditReader::Attach(ipc::Fd channel) {
  auto attached = std::make_shared<ipc::Fd>(std::move(channel));
  const std::scoped_lock lock(channel_mutex_);
  channel_.swap(attached);
}

std::optional<std::string> AuditReader::Ask(int channel, uint64_t after) const {
  std::string request;
  ipc::Encode(ipc::ReadAudit{after, kPageEntries}, &request);
  if (!ipc::Send(channel, request, {}, /*nonblocking=*/true)) return std::nullopt;
  const Deadline deadline = After(patience_);
  pollfd watched{channel, POLLIN, 0};
  while (true) {
    const int ready = poll(&watched, 1, MillisecondsUntil(deadline));
    if (ready == 0) return std::nullopt;
    if (ready > 0) break;
  }
  ipc::Message message;
  if (!ipc::Receive(channel, &message)) return std::nullopt;
  const auto page = ipc::DecodeAuditPage(message.bytes);
  if (!page || page->body.empty()) return std::nullopt;
  return std::string(page->body);
}

std::optional<std::string> AuditReader::Read(uint64_t after) {
  const std::scoped_lock turn(turn_);
  std::shared_ptr<ipc::Fd> channel;
  {
    const std::scoped_lock lock(channel_mutex_);
    channel = channel_;
  }
  if (!channel) return std::nullopt;
  auto page = Ask(channel->get(), after);
  if (!page) {
    // A late answer must not meet the next question: this channel is over.
    const std::scoped_lock lock(channel_mutex_);
    if (channel_ == channel) channel_.reset();
  }
  return page;
}

}  // namespace sidecar::window
