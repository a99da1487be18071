// sidecar/window/broker_link.h: one connection's own channel to the broker.
#pragma once
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sidecar/ipc/frame.h"
#include "sidecar/ipc/messages.h"

namespace sidecar::window {

/// One question, one answer, and again. Never waits: the caller asks again when the descriptor is
/// ready. Once anything goes wrong the caller closes it: a late answer must not meet the next
/// request. Not thread-safe.
class BrokerLink {
 public:
  /// The broker died, restarts, or answered what is no answer: this channel is over.
  struct Gone {};

  explicit BrokerLink(ipc::Fd pair) : pair_(std::move(pair)) {}

  /// Sends as much of `question` as the broker's queue takes, and keeps the rest.
  std::expected<void, Gone> Ask(std::string_view question);
  /// Part of the question is kept: call SendRest() when the descriptor is writable.
  [[nodiscard]] bool has_rest() const { return !rest_.empty(); }
  std::expected<void, Gone> SendRest();

  /// The answer, once all of it is there. It lies in `*scratch`, or in what is kept here where it
  /// came in pieces, and is valid until Wipe.
  std::expected<std::optional<ipc::Answer>, Gone> Receive(ipc::Message* scratch);
  /// Wipes the answer, which may hold a token.
  void Wipe(ipc::Message* scratch);

  void Close() { pair_.Reset(); }
  /// -1 once the channel is closed.
  [[nodiscard]] int fd() const { return pair_.get(); }

 private:
  ipc::Fd pair_;
  std::string rest_;                      // of a question
  std::unique_ptr<ipc::Message> pieces_;  // of an answer of several frames; most have one
};

}  // namespace sidecar::window
