// broker/rotation.h: one credential's secret replaced at Entra and here, whatever crashes
// meanwhile.
#pragma once
#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/app_registration.h"
#include "broker/entra/client_certificate.h"
#include "broker/ledger/entry.h"
#include "broker/policy/config.h"
#include "broker/ports/clock.h"
#include "broker/ports/key_versions.h"
#include "broker/ports/ledger_sink.h"
#include "broker/ports/random.h"
#include "broker/ports/vault.h"
#include "broker/ports/vault_writer.h"
#include "broker/reason.h"
#include "broker/revocations.h"
#include "broker/rotation_journal.h"

namespace broker {

/// What is remembered between two calls, and may be lost in a crash.
struct RotationMemory {
  int proofs = 0;       // in a row
  int failures = 0;     // in a row, of whatever is tried now
  std::string trouble;  // of the last failure
  bool fresh = false;   // begun by this process, which has not asked Entra to add yet
};

/// Certificates and client secrets. Of a key that never leaves its vault, a version of it stands
/// for the secret (key_reference.h): the vault makes the new one, and the journal says which is in
/// use. Adds a new one at Entra, proves it with real token requests, stores it, and removes the old
/// one when the grace period has passed:
///   adding → proving → switching → grace → idle, or → undoing → idle
/// Each step is in the journal before the next one begins, and each can be repeated: whenever the
/// process dies, what is in use works, and what is left at Entra is found again by its thumbprint
/// or its name and removed. Nothing is removed before the new one is proven and in use.
/// Once the credential is revoked nothing new is added, stored or put to use: before the switch the
/// new one is removed at Entra, after it the old one, without waiting. Not thread-safe; borrows
/// all. REQUIRES: WhyNotRotated() is empty.
class Rotation {
 public:
  // How long Entra may take to know a new credential everywhere: minutes, seconds as a rule.
  static constexpr std::chrono::minutes kProveWithin{15};
  // Adding may have to wait for Graph; after that the old one is as good as ever, and somebody has
  // to look.
  static constexpr std::chrono::hours kAddWithin{1};
  // Entra's servers learn of it one by one: one success may be that of the first.
  static constexpr int kProofs = 3;
  static constexpr std::chrono::milliseconds kProofPause{700};
  // After a failure; doubled each time.
  static constexpr std::chrono::seconds kFirstPause{1};
  static constexpr std::chrono::seconds kLongestPause{30};
  // Of what is made. Twice the longest `rotate_every`, so that one missed turn is no outage.
  static constexpr std::chrono::hours kLife{180 * 24};
  static constexpr std::chrono::hours kLongestGrace{7 * 24};

  struct Ports {
    SealedStore& journal;
    Vault& vault;
    LedgerSink& ledger;
    const Clock& clock;
    Random& random;
    AppRegistration& registration;
    Result<Secret> (*make_certificate)(const entra::CertificateTerms&) =
        &entra::MakeClientCertificate;
    const Revocations* revocations = nullptr;  // null: nothing is ever revoked
    VaultWriter* writer = nullptr;             // null: there is no vault but purser's own store
    KeyVersions* keys = nullptr;               // of kind key-vault-key alone
  };
  struct Ask {
    std::chrono::seconds grace{3600};
    // What purser cannot read where it has no permission to: from the portal, once.
    std::string object_id, key_id;
    std::string request_id;
    bool client_secret = false;  // of a refresh token's registration, not the refresh token
  };
  struct Plan {
    std::string object_id, old_key, old_version;
    bool blind = false;  // the registration cannot be read
    std::string unused;  // a newer version of the key, which is not in use
  };
  /// `next`: when Advance() has something to do again.
  struct State {
    RotationStep step = RotationStep::kIdle;
    Clock::Wall next{};
  };

  /// `journal`: the name of its row, where it is not the credential's.
  Rotation(Ports ports, const policy::Config& config, const policy::Credential& credential,
           RotationMemory& memory, const std::string& journal = {})
      : ports_(ports),
        config_(config),
        credential_(credential),
        memory_(memory),
        journal_id_(RotationJournalId(journal.empty() ? credential.name : journal)) {}

  /// Looks, and changes nothing. Refuses kCredentialRevoked, kConflict (one is under way), what the
  /// vault, the ledger and Graph refuse, and kValueOutOfRange where it is not known what is to be
  /// replaced.
  std::expected<Plan, Refusal> Examine(const Ask& ask);
  /// Journals the intent: from then on it goes on by itself. Refuses as Examine().
  std::expected<void, Refusal> Begin(const Ask& ask);
  /// One step, or one try of it. Errors: the journal cannot be read or written, or the ledger; the
  /// next call tries again.
  Result<State> Advance();

 private:
  using Step = Result<State>;

  Result<RotationJournal> Load();
  Status Save(const RotationJournal& journal);
  Step MoveTo(RotationStep step);
  Step Trouble(const std::string& what, std::optional<std::chrono::seconds> wait = std::nullopt);
  Step Later(std::chrono::milliseconds wait) const;
  VaultResult<VaultSecret> FetchCurrent();
  std::expected<std::string, Refusal> OldKey(const graph::Application& app, const VaultSecret& now,
                                             const Ask& ask) const;
  std::vector<std::string> Ours(const graph::Application& app, const Secret& made) const;
  Status Record(ledger::Outcome outcome, std::string_view what);

  Step Add();
  Step MakeVersion();
  Step AwaitVault(const VaultError& error);
  Step AddOnce(const VaultSecret& current);
  Step FindLost(const VaultSecret& current);
  Step Prove();
  Step Switch();
  Step RemoveOld();
  Step RemoveBoth();
  std::optional<Step> ExpireNew();
  std::optional<Step> DisableOld();
  std::optional<Step> DisableNew();
  std::optional<Step> RemoveAll(const std::vector<std::string>& keys, const Secret& current);
  Step Undo();
  Step GiveUp(const std::string& why);
  Step End(const std::string& failure);
  [[nodiscard]] bool Revoked() const;
  [[nodiscard]] bool IsKey() const { return credential_.kind == "key-vault-key"; }
  // In the journal, of what it is about.
  [[nodiscard]] std::string Place() const {
    return IsKey() ? KeyPlace(credential_.vault, credential_.secret) : std::string();
  }
  // In a vault that purser may write to.
  [[nodiscard]] bool IsElsewhere() const {
    return ports_.writer != nullptr && !credential_.vault.empty();
  }
  // A vault may give a certificate back in a form of its own.
  [[nodiscard]] bool Same(const Secret& a, const Secret& b) const;
  [[nodiscard]] bool Destroyed(const VaultError& error) const;
  [[nodiscard]] int64_t Now() const;

  Ports ports_;
  const policy::Config& config_;
  const policy::Credential& credential_;
  RotationMemory& memory_;
  const SecretId journal_id_;
  RotationJournal journal_;
  uint64_t journal_version_ = 0;
};

/// Of a credential that is revoked: rotating it would bring it back into use.
Refusal RevokedRefusal(const std::string& credential);

/// Why purser does not rotate this credential, in a sentence that says what does; empty: it does.
/// Refresh tokens are renewed by redeeming them, which is no Rotation.
std::string WhyNotRotated(const policy::Config& config, const policy::Credential& credential);

}  // namespace broker
