// vault_adapters/sealed.h: the embedded default, secrets in purser's own sealed store.
#pragma once
#include "broker/ports/sealed_store.h"
#include "broker/ports/vault.h"

namespace vault {

/// A version is the store's, in decimal; "0" as the expected one means that there is none yet.
/// Thread-safe. Borrows `store`.
class Sealed final : public broker::Vault {
 public:
  explicit Sealed(broker::SealedStore& store) : store_(store) {}

  broker::VaultResult<broker::VaultSecret> Fetch(const broker::SecretId& id) override;
  /// Errors also: kInvalidRequest (`expected_version` is not a version of this vault).
  broker::VaultResult<std::string> Replace(const broker::SecretId& id,
                                           const std::string& expected_version,
                                           const broker::Secret& value) override;

 private:
  broker::SealedStore& store_;
};

}  // namespace vault
