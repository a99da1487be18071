// broker/ports/vault_error.h: why a vault delivers no secret, no signature or no token.
#pragma once
#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <utility>

#include "broker/base/result.h"

namespace broker {

/// kUnavailable and kCorrupt may mend themselves. The other codes are a refusal for good: somebody
/// has to act, and `detail` says what mends it.
struct VaultError : Error {
  // Every port of a vault fails in the ways of an Error, and some tell more.
  VaultError(Error error)  // NOLINT(google-explicit-constructor)
      : Error(std::move(error)) {}

  std::optional<std::chrono::seconds> retry_after;  // before that nothing is sent
  std::string host;  // who refused, for the ledger; empty: nobody elsewhere was asked
};

template <class T>
using VaultResult = std::expected<T, VaultError>;

}  // namespace broker
