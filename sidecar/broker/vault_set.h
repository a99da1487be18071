// sidecar/broker/vault_set.h: every place that secrets come from, by the configuration in force.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "broker/broker.h"
#include "broker/ports/key_versions.h"
#include "broker/ports/signer.h"
#include "broker/ports/vault.h"
#include "broker/ports/vault_writer.h"
#include "sidecar/broker/supervisor_files.h"
#include "sidecar/broker/vault_identity.h"

namespace vault {
class KeyVaultKeys;
}

namespace sidecar::broker_role {

/// The vaults of one configuration. What it names is built at once, and asked only when a
/// credential is used. Thread-safe.
class VaultSet {
 public:
  struct Ports {
    broker::Vault& own;  // purser's own store
    SupervisorFiles& files;
    broker::HttpTransport& http;
    const broker::Clock& clock;
    VaultIdentity::Mint mint;
    VaultIdentity::Revoked revoked;
    /// The version of a credential's key that is in use; empty: the newest.
    std::function<broker::Result<std::string>(const std::string& credential)> active;
  };
  VaultSet(const broker::policy::Config& config, const Ports& ports);
  ~VaultSet();
  VaultSet(const VaultSet&) = delete;
  VaultSet& operator=(const VaultSet&) = delete;

  /// Each credential's secret, from where it is.
  [[nodiscard]] broker::Vault& vault() const { return *vault_; }
  /// Wipes copies of secrets whose time has passed.
  void Sweep() const;
  /// What signs for the credential; null: nothing does.
  [[nodiscard]] broker::Signer* SignerOf(const std::string& credential) const;
  /// The keys of the key vault of this name; null: there is none.
  [[nodiscard]] vault::KeyVaultKeys* KeysOf(const std::string& vault) const;
  /// The versions of the credential's key; null: no vault keeps it.
  [[nodiscard]] broker::KeyVersions* VersionsOf(const std::string& credential) const;
  /// What writes the credential's secret to a vault elsewhere; null: nothing does.
  [[nodiscard]] broker::VaultWriter* WriterOf(const std::string& credential) const;

 private:
  struct KeyVault;
  struct Mounted;
  std::vector<std::unique_ptr<KeyVault>> key_vaults_;
  std::vector<std::unique_ptr<Mounted>> mounted_;
  std::unique_ptr<broker::Vault> vault_;
  std::map<std::string, vault::KeyVaultKeys*> keys_;     // by vault
  std::map<std::string, vault::KeyVaultKeys*> signers_;  // by credential
  std::map<std::string, broker::VaultWriter*> writers_;  // by credential
};

/// The set of the configuration in force. A fetch under way keeps the set that it began with. Until
/// there is a set, purser's own store alone. Thread-safe. Borrows `own`.
class CurrentVaults final : public broker::Vault,
                            public broker::Signer,
                            public broker::VaultWriter {
 public:
  explicit CurrentVaults(broker::Vault& own) : own_(own) {}
  void Use(std::shared_ptr<const VaultSet> set);
  /// Wipes copies of secrets whose time has passed; to be called from time to time.
  void Sweep() const;
  /// As VaultSet; keeps the set while it is held.
  [[nodiscard]] std::shared_ptr<vault::KeyVaultKeys> KeysOf(const std::string& vault) const;
  [[nodiscard]] std::shared_ptr<broker::KeyVersions> VersionsOf(
      const std::string& credential) const;

  broker::VaultResult<broker::VaultSecret> Fetch(const broker::SecretId& id) override;
  broker::VaultResult<std::string> Replace(const broker::SecretId& id,
                                           const std::string& expected_version,
                                           const broker::Secret& value) override;
  void Invalidate(const broker::SecretId& id, const std::string& version) override;

  /// Of what no vault elsewhere keeps all succeed: purser's own store has one version.
  broker::VaultResult<void> MayWrite(const broker::SecretId& id,
                                     const std::string& version) override;
  broker::VaultResult<void> Disable(const broker::SecretId& id,
                                    const std::string& version) override;
  broker::VaultResult<void> Expire(const broker::SecretId& id, const std::string& version,
                                   broker::Clock::Wall at) override;

  broker::VaultResult<broker::SigningKey> Current(const std::string& credential) override;
  broker::VaultResult<std::string> SignPs256(const std::string& credential,
                                             const std::string& version,
                                             const Digest& digest) override;

 private:
  std::shared_ptr<const VaultSet> set() const;
  broker::Vault& own_;
  mutable std::mutex mutex_;
  std::shared_ptr<const VaultSet> set_;
};

}  // namespace sidecar::broker_role
