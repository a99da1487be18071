// broker/ports/vault.h: where a credential's long-lived secret comes from at the moment of use.
#pragma once
#include <optional>
#include <string>

#include "broker/base/result.h"
#include "broker/base/secret.h"
#include "broker/ports/clock.h"
#include "broker/ports/sealed_store.h"
#include "broker/ports/vault_error.h"

namespace broker {

struct VaultSecret {
  Secret value;
  std::string version;  // as the vault names it; the embedded store's are decimal
  std::string host;     // "corp-agents.vault.azure.net", for the ledger; empty: fetched from here
  std::optional<Clock::Wall> expires;  // what the vault says: not to be used from then on
};

/// Thread-safe.
class Vault {
 public:
  virtual ~Vault() = default;
  /// The current secret. Errors: kNotFound (never enrolled) · kDenied · kUnavailable · kCorrupt.
  virtual VaultResult<VaultSecret> Fetch(const SecretId& id) = 0;
  /// Replaces the secret if `expected_version` is still current; returns the new version. Durable.
  /// Errors: kConflict (somebody else was first; fetch again) and those of Fetch.
  virtual VaultResult<std::string> Replace(const SecretId& id, const std::string& expected_version,
                                           const Secret& value) = 0;
  /// Entra called what was fetched as `version` wrong or expired: a copy that is kept of it serves
  /// no more, and the next Fetch reads it again. Nothing where none is kept.
  virtual void Invalidate(const SecretId& /*id*/, const std::string& /*version*/) {}
};

}  // namespace broker
