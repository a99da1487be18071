// broker/ports/vault.h: where a credential's long-lived secret comes from at the moment of use.
#pragma once
#include <string>

#include "broker/base/result.h"
#include "broker/base/secret.h"
#include "broker/ports/sealed_store.h"

namespace broker {

struct VaultSecret {
  Secret value;
  std::string version;  // as the vault names it; the embedded store's are decimal
};

/// Thread-safe.
class Vault {
 public:
  virtual ~Vault() = default;
  /// The current secret. Errors: kNotFound (never enrolled) · kDenied · kUnavailable · kCorrupt.
  virtual Result<VaultSecret> Fetch(const SecretId& id) = 0;
  /// Replaces the secret if `expected_version` is still current; returns the new version. Durable.
  /// Errors: kConflict (somebody else was first; fetch again) and those of Fetch.
  virtual Result<std::string> Replace(const SecretId& id, const std::string& expected_version,
                                      const Secret& value) = 0;
};

}  // namespace broker
