// sidecar/broker/unseal_retry.h: asking a key vault until the store is open.
#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>

#include "broker/base/result.h"

namespace sidecar::broker_role {

/// Thread-safe.
class UnsealRetry {
 public:
  // After an outage of the vault many brokers ask again: each doubles its pause up to a minute, in
  // which recovery is noticed.
  static constexpr std::chrono::seconds kFirstPause{1};
  static constexpr std::chrono::seconds kLongestPause{60};

  /// Why it failed; nothing: the store is open, or no vault is to be asked. Must not throw.
  using Attempt = std::function<std::optional<broker::ErrorCode>()>;
  explicit UnsealRetry(Attempt attempt) : attempt_(std::move(attempt)) {}

  /// Tries after each Wake(), and again after a failure, until `stop` is requested.
  void Run(const std::stop_token& stop);
  /// There is something to try anew: a configuration, a ledger that writes again.
  void Wake();

  /// After the `failures`th failure in a row. What a person must mend is not tried more often than
  /// once in the longest pause.
  static std::chrono::seconds PauseAfter(broker::ErrorCode code, uint32_t failures);

 private:
  const Attempt attempt_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool woken_ = false;
};

}  // namespace sidecar::broker_role
