// broker/held_tokens.h: which tokens are alive outside, for limits on how many may be at a time.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "broker/base/result.h"

namespace broker {

/// Tokens that an account (an agent, or a rule of it) has in its hands, by fingerprint. The same
/// token twice is one. What was counted counts until it expires: nobody hands a token back. Only
/// accounts with a limit are noted, so that the limits bound the memory. Not thread-safe: of
/// Budgets.
class HeldTokens {
 public:
  // What is kept over restarts, those that live longest first: a marker of the store holds 32 KiB.
  static constexpr size_t kMaxKeptBytes = size_t{30} << 10;

  [[nodiscard]] bool Has(const std::string& account, const std::string& fingerprint,
                         int64_t now) const;
  /// How many are alive at `now` (seconds since the epoch).
  [[nodiscard]] uint32_t Alive(const std::string& account, int64_t now) const;
  /// When the first of them expires.
  [[nodiscard]] std::optional<int64_t> FirstEnd(const std::string& account, int64_t now) const;
  /// Also forgets those of the account that have expired.
  void Add(const std::string& account, const std::string& fingerprint, int64_t exp, int64_t now);

  [[nodiscard]] std::string Kept(int64_t now) const;
  /// Adds to what is known. Errors: kCorrupt; then nothing was restored.
  Status Restore(std::string_view kept);

 private:
  using Tokens = std::map<std::string, int64_t>;  // fingerprint, cut short -> exp
  std::map<std::string, Tokens> by_account_;
};

}  // namespace broker
