// sidecar/broker/seal_control.h: opening the store, at start, by an operator, and after a restart.
#pragma once
#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

#include "broker/base/secret.h"
#include "broker/policy/config.h"
#include "sidecar/broker/seal_vault.h"
#include "sidecar/broker/supervisor_link.h"
#include "sidecar/ipc/ledger_client.h"
#include "token_cache/sealed_store.h"

namespace sidecar::broker_role {

/// Unseals the store with a key-encryption key, compares its generation with the ledger's, and
/// leaves the key with the supervisor for a successor. Thread-safe. Borrows its collaborators.
class SealControl {
 public:
  struct Ports {
    token_cache::SealedStore& store;
    ipc::LedgerClient& ledger;
    SupervisorLink& supervisor;
    broker::Random& random;
    SealVault* vault = nullptr;  // for [seal] kind "azure-key-vault"
  };
  /// `on_unsealed` runs when the store is open, before anything is served from it; an error of it
  /// leaves the store unusable.
  SealControl(Ports ports, std::function<broker::Status()> on_unsealed)
      : ports_(ports), on_unsealed_(std::move(on_unsealed)) {}

  /// From a descriptor of the supervisor; `kind` is "file", "next" (the file that a rotation of the
  /// seal was about to put in the other's place), "systemd-credential", "kept" (a memfd_secret
  /// of this process's predecessor), or "kept-next" (such a one whose key is that of the file
  /// "next"). Does nothing while the key vault is being asked.
  /// Errors: those of the key, the ledger and the store; kUnavailable (out of memory).
  broker::Status UnsealFromDescriptor(const std::string& kind, int fd);
  /// What an operator typed. Errors: kDenied (wrong passphrase), kUnavailable (out of memory) and
  /// the store's.
  broker::Status UnsealWithPassphrase(const broker::Secret& passphrase);
  /// Has the key vault unwrap the key; of a store that has none yet, has it wrap a new one. Waits
  /// for the vault. Errors: those of SealVault, the ledger and the store; kInvalidRequest (the
  /// store was made with another kind of seal).
  broker::Status UnsealFromVault();
  /// Re-wraps with a key made of `typed` as `seal.kind` says (a new one of purser's own where a
  /// key vault wraps it), and re-encrypts every row; requests go on meanwhile. Returns how many
  /// secrets were rewritten.
  broker::Result<uint64_t> Rotate(const broker::policy::Seal& seal, const broker::Secret& typed);

  /// An operator says that the store or the ledger came from a backup: the next attempt to open the
  /// store takes one that does not fit the ledger. Errors: kConflict (the store is open, or closed
  /// for another reason).
  broker::Status AcceptRestored();
  /// That was said, and the store is not open yet.
  [[nodiscard]] bool accepts_restored() const { return accepts_restored_; }

  /// Drops the keys for good, and says what reading a secret gives then.
  std::string Forget();
  /// Asks for the keys once more if the store is still closed; what kept it closed may be mended.
  void AskForKeys();

  /// Secrets can be read. Cheap.
  [[nodiscard]] bool usable() const { return usable_; }
  /// Why the store cannot be used; empty when it can.
  std::string trouble();
  /// What the operator should put right although the store is open; empty when nothing.
  [[nodiscard]] std::string advice() const;

 private:
  broker::Result<broker::Secret> ReadKey(const std::string& kind, int fd);
  struct NewKey {
    broker::Secret kek;
    token_cache::Kdf kdf;
  };
  broker::Result<token_cache::GenerationBounds> Bounds();
  broker::Status Unseal(const broker::Secret& kek, bool by_next);
  broker::Status SealFirst();
  broker::Result<NewKey> MakeNewKey(const broker::policy::Seal& seal, const broker::Secret& typed);
  broker::Status KeepForSuccessor(const broker::Secret& kek, const std::string& which);
  void NoteKept(const broker::Status& kept);
  broker::Status Opened(broker::Status done);
  void NoteTrouble(const std::string& trouble);

  Ports ports_;
  std::function<broker::Status()> on_unsealed_;
  std::atomic<bool> usable_ = false;
  std::atomic<bool> forgotten_ = false;
  std::atomic<bool> opened_by_next_ = false;
  std::atomic<bool> accepts_restored_ = false;
  std::mutex vault_turn_;  // held while the key vault is asked
  bool vault_unasked_ = true;
  mutable std::mutex mutex_;   // guards what follows
  std::string not_kept_;       // why a successor will not have the key; empty: it will
  bool does_not_fit_ = false;  // store and ledger: why the store is closed
  std::string trouble_ = "sealed: an operator must unseal it (purser unseal)";
};

}  // namespace sidecar::broker_role
