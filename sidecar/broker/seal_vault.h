// sidecar/broker/seal_vault.h: the key in a vault that wraps the store's key-encryption key.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "broker/base/result.h"
#include "broker/base/secret.h"
#include "broker/policy/config.h"
#include "broker/ports/ledger_sink.h"
#include "token_cache/key_encryption_key.h"
#include "vault_adapters/key_vault_keys.h"

namespace sidecar::broker_role {

/// [seal] kind = "azure-key-vault". Each answer of the vault is a `credential.access` of "seal" in
/// the ledger, with the vault's host and the key's version, durable before what it brought is used.
/// A failure is one, too; the same one over again is not written again. Thread-safe.
class SealVault {
 public:
  struct Ports {
    std::function<std::shared_ptr<const broker::policy::Config>()> config;  // the one in force
    /// The keys of [vault.NAME]; null: there is no such key vault.
    std::function<std::shared_ptr<vault::KeyVaultKeys>(const std::string& vault)> keys;
    broker::LedgerSink& ledger;
  };
  explicit SealVault(Ports ports) : ports_(std::move(ports)) {}

  /// Wraps with the newest version of the configured key. Errors: kUnavailable (the vault, or the
  /// ledger) · kDenied · kNotFound · kInvalidRequest · kCorrupt; the detail names vault and key and
  /// says what mends it.
  broker::Result<token_cache::Kdf> Wrap(const broker::Secret& kek);
  /// Unwraps with the key and version that wrapped. Errors as above.
  broker::Result<broker::Secret> Unwrap(const token_cache::WrappedKek& wrapped);

 private:
  struct Used;  // one use of the vault
  broker::Result<Used> Begin(const std::string& key, const std::string& version) const;
  static broker::ledger::Entry EntryOf(const Used& used, broker::ledger::Outcome outcome);
  broker::Status Record(const Used& used);
  std::unexpected<broker::Error> Refused(const Used& used, const vault::KeyVaultError& error);

  const Ports ports_;
  std::mutex mutex_;
  std::string last_failure_;  // guarded by mutex_; empty after a success
};

}  // namespace sidecar::broker_role
