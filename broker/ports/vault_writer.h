// broker/ports/vault_writer.h: what a rotation asks of the vault that keeps the secret.
#pragma once
#include <string>

#include "broker/ports/clock.h"
#include "broker/ports/sealed_store.h"
#include "broker/ports/vault_error.h"

namespace broker {

/// Beside Vault, which stores new versions. Thread-safe. Errors of all: those of Vault::Fetch; the
/// detail of kDenied names the role that is missing.
class VaultWriter {
 public:
  virtual ~VaultWriter() = default;
  /// Whether purser may write to this secret. Asks in a way that changes nothing; `version` is the
  /// current one.
  virtual VaultResult<void> MayWrite(const SecretId& id, const std::string& version) = 0;
  /// The vault is to deliver this version to nobody any more. What is disabled already stays so.
  virtual VaultResult<void> Disable(const SecretId& id, const std::string& version) = 0;
  /// The vault is to show this version as expired from `at` on. A certificate that the vault itself
  /// knows as one has its own date, and keeps it.
  virtual VaultResult<void> Expire(const SecretId& id, const std::string& version,
                                   Clock::Wall at) = 0;
};

}  // namespace broker
