// broker/entra/client_certificate.h: a private key and the certificate that Entra knows.
#pragma once
#include <openssl/types.h>

#include <memory>
#include <string>

#include "broker/base/result.h"
#include "broker/base/secret.h"

namespace broker::entra {

struct FreeKey {
  void operator()(EVP_PKEY* key) const;
};

/// Lives for one assertion: OpenSSL keeps the key outside the arena and wipes it on destruction.
struct ClientCertificate {
  // Entra accepts no shorter RSA key.
  static constexpr int kMinKeyBits = 2048;
  // Twice what Key Vault makes. Signing takes the cube of the length: with 32,768 bits half a
  // minute, for whoever may replace a secret to waste.
  static constexpr int kMaxKeyBits = 8192;

  std::unique_ptr<EVP_PKEY, FreeKey> key;
  std::string thumbprint;  // x5t#S256: base64url(SHA-256(DER))
};

/// Reads PEM: one unencrypted PKCS#8 private key (RFC 7468 §10) and the certificate, in either
/// order; further certificates of a chain are ignored, the first one counts.
/// Errors: kInvalidRequest: no key, no certificate, an encrypted key, not RSA, shorter than
/// kMinKeyBits, a key that does not belong to the certificate. The detail never quotes the bundle.
/// REQUIRES: OpenSSL was initialised without a configuration file.
Result<ClientCertificate> ParseClientCertificate(const Secret& pem);

}  // namespace broker::entra
