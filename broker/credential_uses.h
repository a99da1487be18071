// broker/credential_uses.h: what became of each credential lately, and until when it is good.
#pragma once
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "broker/base/result.h"
#include "broker/ports/clock.h"
#include "broker/reason.h"

namespace broker {

/// The end of a secret, by whoever knows it.
struct Expiry {
  enum class By {
    kCertificate,  // its own notAfter
    kVault,        // the attribute `exp` in the vault that has it
    kOperator,     // who enrolled it said so: Entra tells nobody when a client secret ends
  };
  Clock::Wall at{};
  By by = By::kOperator;
  std::string version;  // of the secret, as where it is kept names it
  bool operator==(const Expiry&) const = default;
};

struct CredentialUse {
  std::optional<Clock::Wall> last;  // a token was last asked for with it
  std::optional<Reason> refusal;    // what came of that; nothing: a token
  /// A token was last obtained. Of a refresh token also before this process began, to the day.
  std::optional<Clock::Wall> minted;
  std::string version;  // of its secret as last used
  std::optional<Expiry> expiry;
};

/// A row per credential of the configuration that was used or enrolled. Thread-safe. Borrows
/// `clock`.
class CredentialUses {
 public:
  // Entra lets a refresh token that is not redeemed for so long die, unless it is a single-page
  // application's, which purser never is.
  static constexpr std::chrono::hours kRefreshTokenIdle{90 * 24};
  // Of what is kept over restarts: a commit of the store for each. 90 days bear a day's error.
  static constexpr std::chrono::hours kKeepStep{24};

  explicit CredentialUses(const Clock& clock) : clock_(clock), since_(clock.WallNow()) {}

  /// From when on `last` and `refusal` are known.
  [[nodiscard]] Clock::Wall since() const { return since_; }

  void Minted(const std::string& credential, std::string version);
  void Refused(const std::string& credential, Reason reason);
  /// `expiry` was read where the secret is. Of one version what ends first counts, and of one
  /// source what it said last; what was known of another version is void.
  void Saw(const std::string& credential, Expiry expiry);
  /// A new secret was enrolled, good until then as far as anybody knows. What was known of the end
  /// of the one before is void.
  void Enrolled(const std::string& credential, std::optional<Expiry> expiry);

  [[nodiscard]] CredentialUse Of(const std::string& credential) const;

  /// What is worth keeping over a restart, as text: expiries, and when credentials were last good.
  /// Restore() takes such a text, and what is known already stays. Errors: kCorrupt.
  [[nodiscard]] std::string Kept() const;
  Status Restore(std::string_view kept);

 private:
  const Clock& clock_;
  const Clock::Wall since_;
  mutable std::mutex mutex_;
  std::map<std::string, CredentialUse> uses_;
};

}  // namespace broker
