#include "sidecar/window/broker_link.h"

namespace sidecar::window {

std::expected<void, BrokerLink::Gone> BrokerLink::Ask(std::string_view question) {
  if (!pair_.valid() || !ipc::SendPart(pair_.get(), &question)) return std::unexpected(Gone{});
  rest_ = question;
  return {};
}

std::expected<void, BrokerLink::Gone> BrokerLink::SendRest() {
  std::string_view rest = rest_;
  if (!ipc::SendPart(pair_.get(), &rest)) return std::unexpected(Gone{});
  std::string(rest).swap(rest_);  // frees, and so wipes, what was sent
  return {};
}

std::expected<std::optional<ipc::Answer>, BrokerLink::Gone> BrokerLink::Receive(
    ipc::Message* scratch) {
  ipc::Message* const message = pieces_ ? pieces_.get() : scratch;
  auto whole = ipc::ReceiveNext(pair_.get(), message);
  while (whole && !*whole) whole = ipc::ReceiveNext(pair_.get(), message);
  if (!whole && whole.error().detail == "empty") {
    const bool begun = !pieces_ && !message->bytes.empty();
    if (begun) pieces_ = std::make_unique<ipc::Message>(std::exchange(*scratch, {}));
    return std::nullopt;
  }
  if (!whole || !message->fds.empty()) return std::unexpected(Gone{});
  const auto answer = ipc::DecodeAnswer(message->bytes);
  if (!answer || answer->body.empty()) return std::unexpected(Gone{});
  return *answer;
}

void BrokerLink::Wipe(ipc::Message* scratch) {
  ipc::WipeMessage(scratch);
  scratch->fds.clear();
  if (!pieces_) return;
  ipc::WipeMessage(pieces_.get());
  pieces_.reset();
}

}  // namespace sidecar::window
