// broker/entra/client_certificate.h: a private key and the certificate that Entra knows.
#pragma once
#include <openssl/types.h>

#include <memory>
#include <string>
#include <string_view>

#include "broker/base/result.h"
#include "broker/base/secret.h"
#include "broker/ports/clock.h"

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
  std::string thumbprint;   // x5t#S256: base64url(SHA-256(DER))
  std::string der;          // of the certificate, which is public
  Clock::Wall not_after{};  // Entra refuses what it signs from then on
};

/// Reads PEM: one unencrypted PKCS#8 private key (RFC 7468 §10) and the certificate, in either
/// order; further certificates of a chain are ignored, the first one counts.
/// Errors: kInvalidRequest: no key, no certificate, an encrypted key, not RSA, shorter than
/// kMinKeyBits, a key that does not belong to the certificate. The detail never quotes the bundle.
/// REQUIRES: OpenSSL was initialised without a configuration file.
Result<ClientCertificate> ParseClientCertificate(const Secret& pem);

/// SHA-1 of a certificate's DER, 20 bytes: how Entra labels it (customKeyIdentifier, x5t). A name,
/// not a protection.
std::string Sha1Thumbprint(std::string_view der);

/// Who a certificate made here is for, and for how long. Times in whole seconds.
struct CertificateTerms {
  std::string common_name;  // of subject and issuer; at most 64 bytes count (RFC 5280, appendix A)
  Clock::Wall not_before{};
  Clock::Wall not_after{};
};
/// A new RSA key of ClientCertificate::kMinKeyBits and a certificate for it that it signed itself,
/// in the form that ParseClientCertificate reads. Takes some tenths of a second.
/// Errors: kUnavailable (OpenSSL failed).
Result<Secret> MakeClientCertificate(const CertificateTerms& terms);

}  // namespace broker::entra
