// sidecar/broker/seal_control.h: opening the store, at start, by an operator, and after a restart.
#pragma once
#include <functional>
#include <mutex>
#include <string>

#include "broker/base/secret.h"
#include "broker/policy/config.h"
#include "sidecar/broker/supervisor_link.h"
#include "sidecar/ipc/ledger_client.h"
#include "token_cache/sealed_store.h"

namespace sidecar::broker_role {

/// Unseals the store with a key-encryption key, compares its generation with the ledger's, and
/// leaves the key with the supervisor for a successor. Thread-safe. Borrows its collaborators.
class SealControl {
 public:
  SealControl(token_cache::SealedStore& store, ipc::LedgerClient& ledger,
              SupervisorLink& supervisor, std::function<void()> on_unsealed)
      : store_(store),
        ledger_(ledger),
        supervisor_(supervisor),
        on_unsealed_(std::move(on_unsealed)) {}

  /// `kek` comes from a descriptor of the supervisor ("file", "systemd-credential", "kept").
  broker::Status UnsealFromDescriptor(const std::string& kind, int fd);
  /// What an operator typed. Errors: kDenied (wrong passphrase) and the store's.
  broker::Status UnsealWithPassphrase(const broker::Secret& passphrase);
  /// Re-wraps with a new key-encryption key and re-encrypts every row; requests go on meanwhile.
  /// Returns how many rows were rewritten.
  broker::Result<uint64_t> Rotate(const broker::policy::Seal& seal, const broker::Secret& new_key);

  /// Why the store cannot be used; empty when it can.
  std::string trouble();

 private:
  broker::Status Unseal(broker::Secret kek);
  broker::Status CheckGeneration();

  token_cache::SealedStore& store_;
  ipc::LedgerClient& ledger_;
  SupervisorLink& supervisor_;
  std::function<void()> on_unsealed_;
  std::mutex mutex_;
  std::string trouble_ = "sealed";
};

}  // namespace sidecar::broker_role
