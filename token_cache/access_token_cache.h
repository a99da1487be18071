// token_cache/access_token_cache.h: minted access tokens, in memory only.
#pragma once
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "broker/base/secret.h"
#include "broker/ports/clock.h"
#include "broker/ports/token_cache.h"

namespace token_cache {

/// Whom a failed mint speaks of.
enum class Blame {
  kOutage,  // Entra, or a part of purser, could not answer: a token that is still valid stands
  kCaller,  // the one who asked, not the token: others who waited for it ask for themselves
  kGrant,   // somebody refused the grant: the token that came of it falls
};
Blame BlameOf(broker::Reason reason);

/// Thread-safe. Mint functions run without the lock, on the calling thread. Borrows `clock`.
///
/// One thread of the broker renews: for (…) for (key : cache.WaitDue(stop)) cache.Renew(key, mint).
class AccessTokenCache final : public broker::TokenCache {
 public:
  // Half of the locked arena: requests under way need the rest. Tokens have 2 to 4 kB.
  static constexpr size_t kMaxBytes = broker::SecretArena::kDefaultBytes / 2;
  // Bounds the scan for what makes room and for what is due, when tokens are tiny.
  static constexpr size_t kMaxTokens = 1024;
  // After a failed renewal; doubled each time. Entra's own advice for transient faults starts at
  // seconds; a token due at 80 % of an hour has 12 minutes left, so some ten tries fit.
  static constexpr std::chrono::seconds kFirstBackoff{15};
  static constexpr std::chrono::seconds kMaxBackoff{120};

  // A token this young is what another mint would return, even when its whole life is shorter than
  // the validity asked for: such a request must not reach Entra each time.
  static constexpr std::chrono::seconds kFresh{30};

  // A token that could do too much was minted as the tenant has it, and is mended there by people:
  // until then asking again costs Entra a token each time, and yields the same.
  static constexpr std::chrono::seconds kOverScopedPause{60};

  struct Limits {
    size_t tokens = kMaxTokens;
    size_t bytes = kMaxBytes;
  };
  explicit AccessTokenCache(const broker::Clock& clock) : AccessTokenCache(clock, Limits{}) {}
  AccessTokenCache(const broker::Clock& clock, Limits limits) : clock_(clock), limits_(limits) {}

  broker::SharedToken Find(const broker::TokenKey& key, std::chrono::seconds min_validity) override;
  // broker::TokenCache. A mint that throws is a refusal: kOverloaded without memory, else
  // kInternal.
  broker::MintResult GetOrMint(const broker::TokenKey& key, std::chrono::seconds min_validity,
                               const broker::MintFunction& mint) override;
  void Evict(const std::string& credential) override;
  void Drop(const broker::TokenKey& key) override;   // a moment: kFresh
  void Doubt(const broker::TokenKey& key) override;  // likewise

  /// Tokens that are due for renewal now: past their refresh_at, handed out since they were minted,
  /// not being minted already, not backing off. Asking twice names them twice.
  std::vector<broker::TokenKey> Due();
  /// Waits until Due() has something, sweeping expired tokens meanwhile. Empty only when stopped.
  std::vector<broker::TokenKey> WaitDue(const std::stop_token& stop);
  /// Mints anew for `key`; single-flight with GetOrMint. Success replaces the token. An outage
  /// keeps it and backs off (longer if the refusal says so); a refusal drops it. False: it failed.
  /// A key that was evicted or is being minted already is left alone: true.
  bool Renew(const broker::TokenKey& key, const broker::MintFunction& mint);
  /// Wipes expired tokens; returns how many. WaitDue does it by itself.
  size_t SweepExpired();

  [[nodiscard]] size_t size() const;  // tokens held

 private:
  /// One mint under way. Waiters share it; an evicted one finishes for them alone.
  struct Flight {
    std::optional<broker::MintResult> result;
  };
  struct Entry {
    broker::SharedToken token;
    std::shared_ptr<Flight> flight;
    bool used = false;      // handed out since it was minted
    bool doubted = false;   // due whatever its refresh_at
    uint64_t last_use = 0;  // a count of uses: the smallest is the least recent
    int failures = 0;       // of renewals, in a row
    broker::Clock::Steady retry_at{};
  };
  struct OverScoped {
    broker::Refusal refusal;
    broker::Clock::Steady until{};
  };
  using Lock = std::unique_lock<std::mutex>;

  broker::SharedToken Use(Entry& entry, std::chrono::seconds min_validity);
  [[nodiscard]] bool Serves(const Entry& entry, std::chrono::seconds min_validity) const;
  broker::MintResult Mint(Lock& lock, const broker::TokenKey& key,
                          const broker::MintFunction& mint);
  void Keep(const broker::TokenKey& key, const broker::SharedToken& token);
  void Refused(const broker::TokenKey& key, const broker::Refusal& refusal);
  void DropToken(Entry& entry);
  std::map<broker::TokenKey, Entry>::iterator LeastMissed(const broker::TokenKey& newest);
  void MakeRoom(const broker::TokenKey& newest);
  [[nodiscard]] const broker::Refusal* OverScopedAt(const broker::TokenKey& key) const;
  void Remember(const broker::TokenKey& key, const broker::Refusal& over_scoped);
  [[nodiscard]] bool IsDue(const Entry& entry) const;
  [[nodiscard]] bool IsFresh(const Entry& entry) const;
  [[nodiscard]] std::optional<broker::Clock::Steady> NextEvent() const;
  size_t Sweep();
  std::vector<broker::TokenKey> CollectDue() const;

  const broker::Clock& clock_;
  const Limits limits_;
  mutable std::mutex mutex_;
  std::condition_variable landed_;       // a flight has its result
  std::condition_variable_any changed_;  // what WaitDue waits for may have moved
  std::map<broker::TokenKey, Entry> entries_;
  std::map<broker::TokenKey, OverScoped> over_scoped_;
  size_t tokens_ = 0;
  size_t bytes_ = 0;
  uint64_t uses_ = 0;
};

}  // namespace token_cache
