#include "sidecar/broker/vault_set.h"

#include <utility>

#include "broker/credential_access.h"
#include "vault_adapters/azure_key_vault.h"
#include "vault_adapters/fetch_policy.h"
#include "vault_adapters/key_vault_client.h"
#include "vault_adapters/key_vault_keys.h"
#include "vault_adapters/mounted_files.h"
#include "vault_adapters/vaults_by_credential.h"

namespace sidecar::broker_role {

using broker::ErrorCode, broker::Fail, broker::Result, broker::SecretId;
using broker::policy::Config;

namespace {

// A confidential client's own secret is purser's, wherever its refresh token is.
vault::SecretPlaces PlacesIn(const Config& config, const std::string& vault) {
  vault::SecretPlaces places;
  for (const auto& [name, credential] : config.credentials) {
    if (credential.vault != vault) continue;
    if (const auto kind = broker::SecretKindOf(credential)) {
      places[{name, *kind}] = {credential.secret, credential.version};
    }
  }
  return places;
}

vault::KeyVaultKeys::Places KeysIn(const Config& config, const std::string& vault) {
  vault::KeyVaultKeys::Places places;
  for (const auto& [name, credential] : config.credentials) {
    if (credential.vault != vault || credential.kind != "key-vault-key") continue;
    places[name] = {credential.secret, credential.version};
  }
  return places;
}

vault::KeyVaultOptions OptionsOf(const Config& config, const broker::policy::Vault& vault) {
  return {.url = vault.url,
          .resource = "https://" + config.tenant.vault_suffix,
          .tenants = {config.tenant.id},
          .custom_cloud = config.tenant.cloud == "custom"};
}

}  // namespace

// In the order in which each borrows the ones before.
struct VaultSet::KeyVault {
  VaultIdentity identity;
  vault::KeyVaultClient client;
  vault::AzureKeyVault secrets;
  vault::KeyVaultKeys keys;
  vault::FetchPolicy policy;

  KeyVault(const Config& config, const broker::policy::Vault& vault, const Ports& ports)
      : identity(IdentityOf(config, vault), ports.clock, ports.mint, ports.revoked),
        client(OptionsOf(config, vault), {ports.http, identity, ports.clock}),
        secrets(client, PlacesIn(config, vault.name)),
        keys(client, KeysIn(config, vault.name), ports.active),
        policy(secrets, ports.clock, vault.memory ? vault.ttl : std::chrono::seconds{0}) {}
};

struct VaultSet::Mounted {
  FolderFiles folder;
  vault::MountedFiles files;
  vault::FetchPolicy policy;

  Mounted(const Config& config, const broker::policy::Vault& vault, const Ports& ports)
      : folder(ports.files, vault.path),
        files(folder, vault.path, PlacesIn(config, vault.name)),
        policy(files, ports.clock, vault.memory ? vault.ttl : std::chrono::seconds{0}) {}
};

VaultSet::VaultSet(const Config& config, const Ports& ports) {
  std::map<std::string, broker::Vault*> by_name;
  std::map<std::string, broker::VaultWriter*> writers;
  for (const auto& [name, vault] : config.vaults) {
    if (vault.kind == "azure-key-vault") {
      auto& made = *key_vaults_.emplace_back(std::make_unique<KeyVault>(config, vault, ports));
      by_name[name] = &made.policy;
      keys_[name] = &made.keys;
      writers[name] = &made.secrets;
    } else {
      auto& made = *mounted_.emplace_back(std::make_unique<Mounted>(config, vault, ports));
      by_name[name] = &made.policy;
    }
  }
  vault::VaultsByCredential::Vaults vaults;
  for (const auto& [name, credential] : config.credentials) {
    if (credential.vault.empty()) continue;
    vaults.emplace(name, *by_name.at(credential.vault));
    if (credential.kind == "key-vault-key") signers_[name] = keys_.at(credential.vault);
    if (writers.contains(credential.vault)) writers_[name] = writers.at(credential.vault);
  }
  vault_ = std::make_unique<vault::VaultsByCredential>(ports.own, std::move(vaults));
}

VaultSet::~VaultSet() = default;

broker::Signer* VaultSet::SignerOf(const std::string& credential) const {
  const auto found = signers_.find(credential);
  return found == signers_.end() ? nullptr : found->second;
}

vault::KeyVaultKeys* VaultSet::KeysOf(const std::string& vault) const {
  const auto found = keys_.find(vault);
  return found == keys_.end() ? nullptr : found->second;
}

broker::KeyVersions* VaultSet::VersionsOf(const std::string& credential) const {
  const auto found = signers_.find(credential);
  return found == signers_.end() ? nullptr : found->second;
}

broker::VaultWriter* VaultSet::WriterOf(const std::string& credential) const {
  const auto found = writers_.find(credential);
  return found == writers_.end() ? nullptr : found->second;
}

void VaultSet::Sweep() const {
  for (const auto& vault : key_vaults_) vault->policy.Sweep();
  for (const auto& vault : mounted_) vault->policy.Sweep();
}

void CurrentVaults::Sweep() const {
  if (const auto used = set()) used->Sweep();
}

void CurrentVaults::Use(std::shared_ptr<const VaultSet> set) {
  const std::scoped_lock lock(mutex_);
  set_ = std::move(set);
}

std::shared_ptr<const VaultSet> CurrentVaults::set() const {
  const std::scoped_lock lock(mutex_);
  return set_;
}

std::shared_ptr<vault::KeyVaultKeys> CurrentVaults::KeysOf(const std::string& vault) const {
  const auto used = set();
  return {used, used ? used->KeysOf(vault) : nullptr};
}

std::shared_ptr<broker::KeyVersions> CurrentVaults::VersionsOf(
    const std::string& credential) const {
  const auto used = set();
  return {used, used ? used->VersionsOf(credential) : nullptr};
}

broker::VaultResult<broker::VaultSecret> CurrentVaults::Fetch(const SecretId& id) {
  const auto used = set();
  return (used ? used->vault() : own_).Fetch(id);
}

broker::VaultResult<std::string> CurrentVaults::Replace(const SecretId& id,
                                                        const std::string& expected_version,
                                                        const broker::Secret& value) {
  const auto used = set();
  return (used ? used->vault() : own_).Replace(id, expected_version, value);
}

void CurrentVaults::Invalidate(const SecretId& id, const std::string& version) {
  const auto used = set();
  (used ? used->vault() : own_).Invalidate(id, version);
}

broker::VaultResult<void> CurrentVaults::MayWrite(const SecretId& id, const std::string& version) {
  const auto used = set();
  broker::VaultWriter* const writer = used ? used->WriterOf(id.name) : nullptr;
  return writer == nullptr ? broker::VaultResult<void>() : writer->MayWrite(id, version);
}

broker::VaultResult<void> CurrentVaults::Disable(const SecretId& id, const std::string& version) {
  const auto used = set();
  broker::VaultWriter* const writer = used ? used->WriterOf(id.name) : nullptr;
  return writer == nullptr ? broker::VaultResult<void>() : writer->Disable(id, version);
}

broker::VaultResult<void> CurrentVaults::Expire(const SecretId& id, const std::string& version,
                                                broker::Clock::Wall at) {
  const auto used = set();
  broker::VaultWriter* const writer = used ? used->WriterOf(id.name) : nullptr;
  return writer == nullptr ? broker::VaultResult<void>() : writer->Expire(id, version, at);
}

broker::VaultResult<broker::SigningKey> CurrentVaults::Current(const std::string& credential) {
  const auto used = set();
  broker::Signer* const signer = used ? used->SignerOf(credential) : nullptr;
  if (signer == nullptr) return Fail(ErrorCode::kNotFound, "no vault signs for " + credential);
  return signer->Current(credential);
}

broker::VaultResult<std::string> CurrentVaults::SignPs256(const std::string& credential,
                                                          const std::string& version,
                                                          const Digest& digest) {
  const auto used = set();
  broker::Signer* const signer = used ? used->SignerOf(credential) : nullptr;
  if (signer == nullptr) return Fail(ErrorCode::kNotFound, "no vault signs for " + credential);
  return signer->SignPs256(credential, version, digest);
}

}  // namespace sidecar::broker_role
