// vault_adapters/azure_key_vault.h: secrets and certificates' private parts from Azure Key Vault.
#pragma once
#include <string>
#include <vector>

#include "broker/ports/vault.h"
#include "broker/ports/vault_writer.h"
#include "vault_adapters/key_vault_answer.h"
#include "vault_adapters/key_vault_client.h"

namespace vault {

/// The secrets of one vault. As a port it serves the credentials that `places` lists, a kind of
/// SecretKind::kCertificate always as PEM: the private part of a certificate is the secret of the
/// same name, and comes as PEM or as PKCS#12 without a password.
///
/// Source: Key Vault REST reference, "Secrets"; "Get certificate's private key".
/// Thread-safe. Borrows `client`, which other adapters of the same vault may share.
class AzureKeyVault final : public broker::Vault, public broker::VaultWriter {
 public:
  // 1,000 versions: a refresh token that is replaced every hour has so many within six weeks, and
  // the newest are what purser looks for.
  static constexpr int kMaxPages = 40;

  AzureKeyVault(KeyVaultClient& client, SecretPlaces places)
      : client_(client), places_(std::move(places)) {}

  /// Errors beyond the port's: kDenied (role, network rules, disabled, expired, not yet valid),
  /// kUnavailable (throttled, unreachable), each with what mends it. kNotFound also where the
  /// credential is not listed, and for what is deleted but can be recovered.
  broker::VaultResult<broker::VaultSecret> Fetch(const broker::SecretId& id) override;
  /// "" or "0" as the expected version: there is none yet. The service has no conditional write:
  /// the newest version is compared right before a new one is set, so two replicas that write
  /// within that moment both succeed, and the later one is the newest. Neither loses what it wrote:
  /// versions stay. What is a certificate's private part there is imported as a certificate.
  /// kInvalidRequest where the place pins a version.
  broker::VaultResult<std::string> Replace(const broker::SecretId& id,
                                           const std::string& expected_version,
                                           const broker::Secret& value) override;

  /// Enables the version once more: whoever may not, may not set one either. kInvalidRequest where
  /// the place pins a version. All look whether the secret is a certificate's private part: then
  /// the certificate is what is written, as by Replace().
  broker::VaultResult<void> MayWrite(const broker::SecretId& id,
                                     const std::string& version) override;
  broker::VaultResult<void> Disable(const broker::SecretId& id,
                                    const std::string& version) override;
  broker::VaultResult<void> Expire(const broker::SecretId& id, const std::string& version,
                                   broker::Clock::Wall at) override;

  /// The newest version, or the pinned one; usable now by its own dates.
  KeyVaultResult<SecretBundle> Get(const SecretPlace& place);
  /// All versions, newest first, usable or not. kInvalid after kMaxPages.
  KeyVaultResult<std::vector<SecretVersion>> ListVersions(const std::string& name);
  /// Sets a new version and returns its name.
  KeyVaultResult<std::string> Set(const std::string& name, const broker::Secret& value,
                                  std::string_view content_type);

 private:
  KeyVaultResult<std::string> Import(const std::string& name, const broker::Secret& pem);
  KeyVaultResult<SecretBundle> Read(const SecretPlace& place, broker::Clock::Wall* now);
  KeyVaultError ExplainMissing(KeyVaultError missing, const std::string& name);
  broker::VaultResult<void> Enable(const broker::SecretId& id, const std::string& version,
                                   bool enabled);
  broker::Result<SecretPlace> PlaceOf(const broker::SecretId& id) const;
  broker::Result<SecretPlace> VersionAt(const broker::SecretId& id,
                                        const std::string& version) const;
  KeyVaultResult<bool> IsManaged(const broker::SecretId& id, const std::string& name);

  KeyVaultClient& client_;
  const SecretPlaces places_;
};

}  // namespace vault
