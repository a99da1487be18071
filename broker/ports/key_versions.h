// broker/ports/key_versions.h: what a rotation asks of the vault that keeps a key for good.
#pragma once
#include <string>

#include "broker/ports/signer.h"
#include "broker/ports/vault_error.h"

namespace broker {

/// One version of a key that never leaves its vault, and of its certificate.
struct KeyVersion {
  std::string version;
  std::string certificate;  // DER
  std::string label;        // as Make() was told; empty: somebody else made it
  bool enabled = true;
};

/// Beside Signer, which signs tokens' requests. `credential` is the name in the configuration.
/// Thread-safe. Errors: those of Signer; the detail of kDenied names the role that is missing.
class KeyVersions {
 public:
  virtual ~KeyVersions() = default;
  /// Enabled or not. `version` empty: the newest; kConflict while the vault is making one.
  virtual VaultResult<KeyVersion> Look(const std::string& credential,
                                       const std::string& version) = 0;
  /// Whether Make() and Disable() will be allowed and can be done. Asks in a way that changes
  /// nothing; `version` is the one in use. kInvalidRequest: its issuer is not the vault itself;
  /// kConflict: the vault is at a version already.
  virtual VaultResult<void> MayMake(const std::string& credential, const std::string& version) = 0;
  /// Has the vault make a new version, which signs for itself; Look() finds it by its label when it
  /// is ready. kConflict: the vault is at one already.
  virtual VaultResult<void> Make(const std::string& credential, const std::string& label) = 0;
  /// The vault is to sign with this version for nobody any more.
  virtual VaultResult<void> Disable(const std::string& credential, const std::string& version) = 0;
  /// RS256 (RFC 7518 §3.3) over the SHA-256 `digest`: the signature's bytes.
  virtual VaultResult<std::string> SignRs256(const std::string& credential,
                                             const std::string& version,
                                             const Signer::Digest& digest) = 0;
  /// PS256, likewise, by whatever version is asked for.
  virtual VaultResult<std::string> SignPs256(const std::string& credential,
                                             const std::string& version,
                                             const Signer::Digest& digest) = 0;
};

}  // namespace broker
