// vault_adapters/fetch_policy.h: how often a vault is asked.
#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "broker/ports/clock.h"
#include "broker/ports/vault.h"

namespace vault {

/// Stands before any vault. Callers that want one secret at one time share one fetch, and a failure
/// is told for kFailurePause to all who ask, so that a vault in trouble is asked once per secret
/// and pause. With a time to live, a copy in the locked arena serves until that has passed, the
/// secret's own expiry has come, or it was invalidated; never longer, also not through an outage.
/// Thread-safe. Borrows `vault` and `clock`.
class FetchPolicy final : public broker::Vault {
 public:
  // Long enough that a thousand waiting callers ask once, short enough that nobody waits for it
  // after the vault has been mended.
  static constexpr std::chrono::seconds kFailurePause{5};

  /// `time_to_live` of zero is `use = "every-mint"`: nothing is kept.
  FetchPolicy(broker::Vault& vault, const broker::Clock& clock, std::chrono::seconds time_to_live)
      : vault_(vault), clock_(clock), time_to_live_(time_to_live) {}

  broker::VaultResult<broker::VaultSecret> Fetch(const broker::SecretId& id) override;
  /// Forgets what was kept of `id`, whatever came of it.
  broker::VaultResult<std::string> Replace(const broker::SecretId& id,
                                           const std::string& expected_version,
                                           const broker::Secret& value) override;
  /// Only the version that was refused: a thousand callers with the same one cause one fetch.
  void Invalidate(const broker::SecretId& id, const std::string& version) override;
  /// Wipes copies whose time has passed; for a timer, so that none lies about unused.
  void Sweep();

 private:
  using Fetched = broker::VaultResult<broker::VaultSecret>;
  // One fetch under way, and those who wait for it.
  struct Flight {
    uint64_t generation = 0;
    bool done = false;
    Fetched result = broker::Fail(broker::ErrorCode::kUnavailable, "not fetched yet");
  };
  struct Entry {
    uint64_t generation = 0;  // counts what made earlier fetches stale
    std::shared_ptr<Flight> flight;
    std::shared_ptr<const Flight> kept;  // the last one's result, good until `kept_until`
    broker::Clock::Steady kept_until{};
  };

  static Fetched CopyOf(const Fetched& result);
  static void Forget(Entry& entry);
  Fetched Ask(const broker::SecretId& id);
  [[nodiscard]] broker::Clock::Steady KeepUntil(const Fetched& result) const;
  [[nodiscard]] bool Serves(const Entry& entry) const;

  broker::Vault& vault_;
  const broker::Clock& clock_;
  const std::chrono::seconds time_to_live_;
  std::mutex mutex_;
  std::condition_variable landed_;
  std::map<broker::SecretId, Entry> entries_;  // one per credential of the configuration
};

}  // namespace vault
