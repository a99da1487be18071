// broker/upstream_guard.h: which credentials may be tried at Entra now.
#pragma once
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "broker/ports/clock.h"
#include "broker/reason.h"

namespace broker {

/// Remembers, per credential, what makes another request useless or rude: an outage (circuit
/// breaker), a Retry-After, a secret that cannot be read, a rejection that will not change by
/// asking again, a dead grant. In memory only: a restart costs one request to learn it anew.
/// Thread-safe. Borrows `clock`.
class UpstreamGuard {
 public:
  // Five in a row are an outage, not bad luck: each was retried once before it counted.
  static constexpr int kFailuresToOpen = 5;
  // Doubles with each failed trial up to the longest, so that recovery is noticed within minutes.
  static constexpr std::chrono::seconds kFirstPause{30};
  static constexpr std::chrono::seconds kLongestPause{300};
  // A disabled application or a wrong secret is mended by people: asking more often than once a
  // minute only fills the tenant's sign-in log.
  static constexpr std::chrono::seconds kRejectionPause{60};
  // Who mends it in the vault looks at once whether it helped; a vault counts its requests in
  // windows of ten seconds.
  static constexpr std::chrono::seconds kRefusedSecretPause{15};

  /// Of one credential that is not well.
  struct Trouble {
    std::string what;    // "credential NAME: REASON since TIME", for anybody
    std::string detail;  // what was wrong last and what mends it, for operators; may be empty
  };

  explicit UpstreamGuard(const Clock& clock) : clock_(clock) {}

  /// Nothing: go ahead. Otherwise why not, with retry_after where waiting helps. While the breaker
  /// is open one trial passes at the end of each pause.
  std::optional<Refusal> Check(const std::string& credential);
  /// The same for claims of the agent's choosing. What comes of them is remembered of that agent
  /// alone, under WithClaims(); but what holds for the credential holds for them.
  std::optional<Refusal> CheckWithClaims(const std::string& credential, const std::string& agent);
  static std::string WithClaims(const std::string& credential, const std::string& agent);

  /// Entra answered, if only with a refusal: it is no outage. Closes the breaker.
  void Answered(const std::string& credential);
  /// What was let through never came to Entra: if it was the trial, the next one may go at once.
  void NeverAsked(const std::string& credential);
  void Succeeded(const std::string& credential);  // a token was minted: the same as Forget()
  /// `detail`, here and below: for Trouble.
  void FailedTransiently(const std::string& credential, const std::string& detail);
  /// No request before `wait` has passed.
  void Throttled(const std::string& credential, std::chrono::seconds wait,
                 const std::string& detail);
  /// Refuses with `refusal` for that long.
  void Rejected(const std::string& credential, Refusal refusal,
                std::chrono::seconds pause = kRejectionPause);
  /// The secret could not be read: refuses so while the refusal's own retry_after lasts, and counts
  /// it among the troubles until something else becomes of the credential.
  void SecretUnread(const std::string& credential, Refusal refusal);
  /// The tenant of the credential could not be looked up. It is asked for the same again whatever
  /// an agent wants, so that nothing but an outage is worth another try within kRejectionPause.
  void DiscoveryFailed(const std::string& credential, const Refusal& refusal);
  /// Refuses with `refusal` until Forget().
  void GrantDied(const std::string& credential, Refusal refusal);
  /// With what was remembered of agents' claims.
  void Forget(const std::string& credential);

  /// Of each credential that Check() would refuse now, or whose secret could not be read, by name.
  /// TIME is when it first failed after it had last succeeded (RFC 3339, UTC, seconds).
  std::vector<Trouble> Troubles();

 private:
  struct Memory {
    Clock::Wall since{};  // of the first failure
    std::string detail;   // of the last one
    int failures = 0;
    std::chrono::seconds pause{0};  // of the open breaker; 0: closed
    Clock::Steady trial_at{};
    Clock::Steady not_before{};  // Retry-After
    Clock::Steady rejected_until{};
    std::optional<Refusal> rejection;
    std::optional<Refusal> dead_grant;
    std::optional<Reason> unread;
    Clock::Steady unread_until{};
  };
  // REQUIRES: mutex_.
  std::optional<Refusal> Standing(const Memory& memory, Clock::Steady now) const;
  std::optional<Refusal> Tripped(Memory& memory, Clock::Steady now) const;
  Memory& Failed(const std::string& credential, const std::string& detail);
  static std::optional<Reason> TroubleOf(const Memory& memory, Clock::Steady now);

  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Memory> memory_;  // a row per credential, and one per agent that uses it
};

}  // namespace broker
