#include "sidecar/window/broker_link.h"

#include <poll.h>

#include <array>

namespace sidecar::window {

std::expected<ipc::Answer, AskError> BrokerLink::Over(AskError error) {
  pair_.Reset();
  return std::unexpected(error);
}

std::expected<ipc::Answer, AskError> BrokerLink::Ask(std::string_view request, int peer,
                                                     Deadline deadline) {
  if (!pair_.valid() || !ipc::Send(pair_.get(), request)) return Over(AskError::kBrokerGone);
  // Of the peer only its end is of interest (POLLHUP needs no asking): what it sends is for later.
  std::array<pollfd, 2> watched{{{pair_.get(), POLLIN, 0}, {peer, 0, 0}}};
  while (true) {
    const int ready = poll(watched.data(), watched.size(), MillisecondsUntil(deadline));
    if (ready < 0) continue;  // a signal
    if (watched[0].revents != 0) break;
    if (ready == 0) return Over(AskError::kTimeout);
    return Over(AskError::kPeerGone);
  }
  if (!ipc::Receive(pair_.get(), &message_)) return Over(AskError::kBrokerGone);
  const auto answer = ipc::DecodeAnswer(message_.bytes);
  if (!answer || answer->body.empty()) return Over(AskError::kBrokerGone);
  return *answer;
}

}  // namespace sidecar::window
