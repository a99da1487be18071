// broker/ports/signer.h: a private key that signs where it lives and never comes here.
#pragma once
#include <array>
#include <cstddef>
#include <optional>
#include <string>

#include "broker/ports/clock.h"
#include "broker/ports/vault_error.h"

namespace broker {

struct SigningKey {
  std::string version;     // of the key in its vault; a signature is asked of this one
  std::string thumbprint;  // x5t#S256 of its certificate: base64url(SHA-256(DER)), 43 characters
  std::string host;        // of its vault, for the ledger
  std::optional<Clock::Wall> expires;  // the certificate, by the vault's word
};

/// Thread-safe. `credential` is the name in the configuration, whose `vault` and `name` say where
/// the key is. Errors of both: kNotFound · kDenied (role, network, disabled, expired, not yet
/// valid) · kUnavailable (throttled, unreachable) · kCorrupt.
class Signer {
 public:
  using Digest = std::array<std::byte, 32>;

  virtual ~Signer() = default;
  /// The version to sign with now, and the certificate that Entra knows it by.
  virtual VaultResult<SigningKey> Current(const std::string& credential) = 0;
  /// PS256 (RFC 7518 §3.5) over the SHA-256 `digest` with that version: the signature's bytes.
  virtual VaultResult<std::string> SignPs256(const std::string& credential,
                                             const std::string& version, const Digest& digest) = 0;
};

}  // namespace broker
