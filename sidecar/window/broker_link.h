// sidecar/window/broker_link.h: one connection's own channel to the broker.
#pragma once
#include <expected>
#include <string_view>
#include <utility>

#include "sidecar/ipc/frame.h"
#include "sidecar/ipc/messages.h"
#include "sidecar/window/timing.h"

namespace sidecar::window {

enum class AskError {
  kBrokerGone,  // it died or restarts: this channel is over
  kTimeout,     // it did not answer in time
  kPeerGone,    // the agent hung up: there is nobody to answer
};

/// Not thread-safe. After an error the channel is closed: a late answer must not meet the next
/// request.
class BrokerLink {
 public:
  explicit BrokerLink(ipc::Fd pair) : pair_(std::move(pair)) {}

  /// Sends one message and waits for its answer, watching whether `peer` hangs up meanwhile.
  /// The answer is valid until the next Ask or Wipe.
  std::expected<ipc::Answer, AskError> Ask(std::string_view request, int peer, Deadline deadline);
  /// Wipes the last answer, which may hold a token.
  void Wipe() { ipc::WipeMessage(&message_); }
  /// -1 once the channel is closed.
  [[nodiscard]] int fd() const { return pair_.get(); }

 private:
  std::expected<ipc::Answer, AskError> Over(AskError error);

  ipc::Fd pair_;
  ipc::Message message_;
};

}  // namespace sidecar::window
