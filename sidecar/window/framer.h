// sidecar/window/framer.h: bytes of a connection, cut into requests. Pure: no sockets, no clock.
#pragma once
#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include "broker/reason.h"
#include "sidecar/window/head.h"

namespace sidecar::window {

/// The first code that touches an agent's bytes. Yields one complete request after the other, in
/// the order of arrival, or one refusal, after which the connection's framing is lost for good.
///
/// Usage: while Examine() says kMore, Append() what arrives. After kComplete read request(), then
/// Consume() and examine again: what was sent behind the request is kept for the next.
/// Memory is bounded by kMaxHeadBytes + kMaxBodyBytes + one Append. Not thread-safe.
class Framer {
 public:
  enum class State { kMore, kComplete, kRefused };

  void Append(std::string_view bytes) { buffer_.append(bytes); }
  State Examine();

  /// REQUIRES: kComplete. Valid until Consume().
  [[nodiscard]] const Head& head() const { return head_; }
  [[nodiscard]] std::string_view body() const;
  /// REQUIRES: kRefused. head() then has method and path as far as they were understood.
  [[nodiscard]] const broker::Refusal& refusal() const { return refusal_; }

  /// Wipes and drops the complete request: what it held by mistake does not linger.
  void Consume();
  /// Part of a request has arrived.
  [[nodiscard]] bool started() const { return !buffer_.empty(); }

 private:
  State Refused(broker::Refusal refusal);
  State Scan();
  std::expected<void, broker::Refusal> ReadHead();

  // Kept between requests; a larger buffer is given back, so that idle connections stay small.
  static constexpr size_t kKeptBytes = size_t{8} << 10;

  std::string buffer_;
  size_t scanned_ = 0;     // bytes found clean so far
  size_t line_start_ = 0;  // of the line being scanned
  size_t head_bytes_ = 0;  // 0: the head has not ended yet
  Head head_;
  const char* head_at_ = nullptr;  // the buffer when the head was read
  broker::Refusal refusal_;
  bool refused_ = false;
};

}  // namespace sidecar::window
