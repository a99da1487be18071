// broker/rotations.h: all rotations under way, and those that are due.
#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "broker/app_registration.h"
#include "broker/base/log.h"
#include "broker/policy/config.h"
#include "broker/ports/token_cache.h"
#include "broker/rotation.h"

namespace broker {

/// What is known of one credential's rotation. Times in seconds since the epoch; 0: never.
struct RotationView {
  std::string credential;
  bool client_secret = false;  // of the refresh token's registration, not the refresh token
  RotationStep step = RotationStep::kIdle;
  int64_t since = 0, started = 0, remove_after = 0, rotated = 0;
  int64_t next_due = 0;  // on schedule
  std::string old_key, new_key, new_version;
  std::string failure;  // of the last one, while none is under way
  std::string trouble;  // of the last try; it is tried again
  bool stuck = false;   // it has failed so often that somebody should look
};

/// Goes on with every rotation in the journal by itself, over restarts, on one thread, and begins
/// those whose `rotate_every` has passed. Thread-safe; borrows what it is given.
class Rotations {
 public:
  using Config = std::shared_ptr<const policy::Config>;

  // Failures in a row; proving waits for Entra and is never stuck before its own deadline.
  static constexpr int kStuckAfter = 5;
  // After a scheduled one that failed.
  static constexpr std::chrono::hours kRetryAfter{1};
  // In tenths of `rotate_every`: so that what was enrolled together is not rotated together.
  static constexpr int64_t kJitterTenths = 1;
  // How soon a due turn or an opened store is noticed.
  static constexpr std::chrono::seconds kLook{5};
  // While the ledger or the store cannot be written.
  static constexpr std::chrono::seconds kUnwritable{2};

  struct Ports {
    SealedStore& journal;
    Vault& vault;
    LedgerSink& ledger;
    const Clock& clock;
    Random& random;
    std::function<Config()> config;  // the one in force
    std::function<bool()> usable;    // whether the store is open
    std::function<std::unique_ptr<AppRegistration>(const policy::Config&, const policy::Credential&,
                                                   const std::string& request_id)>
        registration;
    /// One mint with the credential's refresh token, which stores the new one that Entra gives.
    std::function<MintResult(const std::string& credential, const std::string& request_id)> redeem;
    /// The credential's secret is another one now.
    std::function<void(const RotationView& now)> switched;
    const Log* log = nullptr;
    const Revocations* revocations = nullptr;  // null: nothing is ever revoked
    VaultWriter* writer = nullptr;             // null: there is no vault but purser's own store
    /// Of the vault that keeps the credential's key; null: none does.
    std::function<std::shared_ptr<KeyVersions>(const std::string& credential)> keys = nullptr;
  };
  explicit Rotations(Ports ports) : ports_(std::move(ports)) {}

  /// Begins one and returns at once; of a refresh token, does it. Refuses kNotFound, kSealed,
  /// kCredentialRevoked, kConflict (one is under way), kValueOutOfRange (a kind that is not
  /// rotated: the sentence says why) and what Rotation::Begin refuses.
  std::expected<RotationView, Refusal> Start(const std::string& credential,
                                             const Rotation::Ask& ask);
  /// What Start() would do, in sentences. Looks at Entra, and changes nothing. Refuses as Start().
  std::expected<std::vector<std::string>, Refusal> DryRun(const std::string& credential,
                                                          const Rotation::Ask& ask);
  /// Of a key that never leaves its vault: a version there that is newer than the one in use, which
  /// somebody else made, and which purser does not use. Empty: there is none, none was ever rotated
  /// to, a rotation is under way, or the vault does not say.
  std::string UnusedVersion(const std::string& credential);
  /// Of a refresh token and its registration's client secret the one that is under way, else the
  /// later one. Nothing: never rotated here, and not on a schedule.
  std::optional<RotationView> Find(const std::string& credential);
  /// By name; those that were never rotated are not among them.
  std::vector<RotationView> All();

  /// Something has changed that a rotation may depend on: a credential was revoked.
  void Wake();
  /// Everything that is due now; returns how long nothing will be.
  std::chrono::milliseconds Tick();
  /// Calls Tick() until stopped.
  void Run(const std::stop_token& stop);

 private:
  // By the name of its row: the credential's, or that and "/client-secret".
  struct One {
    RotationView view;
    RotationMemory memory;
    std::string request_id;
    int64_t jitter = 0, failed_at = 0;
    Clock::Wall next{};
    bool busy = false;     // somebody works on it, without the lock
    bool revoked = false;  // as it was when it was last looked at
  };
  using Lock = std::unique_lock<std::mutex>;

  static std::string SlotOf(const std::string& name, bool client_secret);

  void Load(const Config& config);
  void Keep(One& one, const RotationJournal& journal) const;
  void Advance(Lock& lock, const Config& config, const std::string& name);
  void Told(const RotationView& before, const RotationView& now) const;
  void StartDue(Lock& lock, const Config& config);
  [[nodiscard]] bool Revoked(const std::string& name) const;
  bool IsDue(const std::string& name, One& one) const;
  [[nodiscard]] int64_t DueAt(const One& one, const policy::Credential& credential) const;
  std::expected<void, Refusal> Reserve(const std::string& name);
  std::expected<void, Refusal> Redeem(const policy::Credential& credential,
                                      const std::string& request_id);
  std::expected<void, Refusal> Begin(const policy::Config& config,
                                     const policy::Credential& credential, const Rotation::Ask& ask,
                                     const std::string& slot, RotationMemory* memory);
  Status Note(const std::string& name, const std::string& failure, const std::string& version);
  std::expected<policy::Credential, Refusal> Rotatable(const Config& config,
                                                       const std::string& name,
                                                       bool client_secret) const;
  [[nodiscard]] Rotation::Ports PortsWith(AppRegistration& registration, KeyVersions* keys) const;
  [[nodiscard]] std::shared_ptr<KeyVersions> KeysOf(const std::string& credential) const;
  [[nodiscard]] int64_t Now() const;

  Ports ports_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool woken_ = false;
  Config loaded_;  // whose journals are in all_
  std::map<std::string, One> all_;
};

}  // namespace broker
