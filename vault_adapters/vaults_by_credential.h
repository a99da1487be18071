// vault_adapters/vaults_by_credential.h: each credential's secret from its own vault.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "broker/ports/vault.h"

namespace vault {

/// Sends each question to the vault of the credential, all others to purser's own store. A
/// credential that names a vault is served by that one alone: an older secret of the same name in
/// the store is never a substitute. Thread-safe. Borrows the vaults.
class VaultsByCredential final : public broker::Vault {
 public:
  using Vaults = std::map<std::string, std::reference_wrapper<broker::Vault>>;

  VaultsByCredential(broker::Vault& store, Vaults vaults)
      : store_(store), vaults_(std::move(vaults)) {}

  broker::VaultResult<broker::VaultSecret> Fetch(const broker::SecretId& id) override {
    return Of(id).Fetch(id);
  }
  broker::VaultResult<std::string> Replace(const broker::SecretId& id,
                                           const std::string& expected_version,
                                           const broker::Secret& value) override {
    return Of(id).Replace(id, expected_version, value);
  }
  void Invalidate(const broker::SecretId& id, const std::string& version) override {
    Of(id).Invalidate(id, version);
  }

 private:
  // purser's own keys have names of their own, which no credential takes away.
  broker::Vault& Of(const broker::SecretId& id) {
    if (id.kind == broker::SecretKind::kInternal) return store_;
    const auto found = vaults_.find(id.name);
    return found == vaults_.end() ? store_ : found->second.get();
  }

  broker::Vault& store_;
  const Vaults vaults_;
};

}  // namespace vault
