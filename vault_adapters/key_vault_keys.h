// vault_adapters/key_vault_keys.h: keys that never leave Azure Key Vault.
#pragma once
#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>

#include "broker/ports/key_versions.h"
#include "broker/ports/signer.h"
#include "vault_adapters/key_vault_answer.h"
#include "vault_adapters/key_vault_client.h"

namespace vault {

/// Signs, wraps and unwraps inside one vault. As a port it signs for the credentials that `places`
/// lists, by name: each place is a certificate's, whose key has the same name and version.
///
/// Source: Key Vault REST reference, "Keys" and "Certificates"; RFC 7518 §3.3 to §3.5, §4.3.
/// Thread-safe. Borrows `client`.
class KeyVaultKeys final : public broker::Signer, public broker::KeyVersions {
 public:
  using Places = std::map<std::string, SecretPlace>;  // by credential

  /// The version of a credential's key that is in use; empty: the newest. Thread-safe.
  using ActiveVersion = std::function<broker::Result<std::string>(const std::string& credential)>;

  /// Where a place pins no version, `active` says which one signs; without it, the newest.
  KeyVaultKeys(KeyVaultClient& client, Places places, ActiveVersion active = {})
      : client_(client), places_(std::move(places)), active_(std::move(active)) {}

  broker::VaultResult<broker::SigningKey> Current(const std::string& credential) override;
  broker::VaultResult<std::string> SignPs256(const std::string& credential,
                                             const std::string& version,
                                             const Digest& digest) override;

  /// The certificate's: its key goes with it. A new version is made with the certificate's policy,
  /// but signed by itself and with a key of its own; the vault keeps that policy from then on.
  /// kInvalidRequest where the place pins a version.
  broker::VaultResult<broker::KeyVersion> Look(const std::string& credential,
                                               const std::string& version) override;
  broker::VaultResult<void> MayMake(const std::string& credential,
                                    const std::string& version) override;
  broker::VaultResult<void> Make(const std::string& credential, const std::string& label) override;
  broker::VaultResult<void> Disable(const std::string& credential,
                                    const std::string& version) override;
  broker::VaultResult<std::string> SignRs256(const std::string& credential,
                                             const std::string& version,
                                             const broker::Signer::Digest& digest) override;

  struct Made {
    std::string version;  // of the key
    std::string bytes;    // a signature (ES256: r and s, 32 bytes each) or a wrapped key
  };
  /// Without a version, both take the newest, which costs a look at the key. The signature has the
  /// length that its algorithm has: of RSA with 2048, 3072 or 4096 bits.
  KeyVaultResult<Made> Sign(const SecretPlace& place, KeyVaultAlgorithm algorithm,
                            std::span<const std::byte, 32> digest);
  /// RSA-OAEP-256 of a key of up to 190 bytes.
  KeyVaultResult<Made> Wrap(const SecretPlace& place, const broker::Secret& key);
  /// Needs the version that wrapped. kInvalid unless `size` bytes come back.
  KeyVaultResult<broker::Secret> Unwrap(const SecretPlace& place, std::string_view wrapped,
                                        size_t size);
  /// Usable now by its own dates.
  KeyVaultResult<PublicKey> GetKey(const SecretPlace& place);
  KeyVaultResult<CertificateFacts> GetCertificate(const SecretPlace& place);

  [[nodiscard]] const std::string& host() const { return client_.host(); }  // no port

 private:
  KeyVaultResult<SecretPlace> Pinned(const SecretPlace& place);
  KeyVaultResult<KeyOperationResult> Operate(const KeyVaultRequest& request,
                                             const SecretPlace& place);
  broker::Result<SecretPlace> PlaceOf(const std::string& credential) const;
  KeyVaultResult<bool> IsMaking(const SecretPlace& place);
  KeyVaultResult<CertificateFacts> ReadFacts(const SecretPlace& place);
  broker::VaultResult<void> Enable(const std::string& credential, const std::string& version,
                                   bool enabled);
  broker::VaultResult<std::string> SignWith(const std::string& credential,
                                            const std::string& version, KeyVaultAlgorithm algorithm,
                                            const Digest& digest);

  KeyVaultClient& client_;
  const Places places_;
  const ActiveVersion active_;
};

}  // namespace vault
