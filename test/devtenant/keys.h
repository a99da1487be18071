// test/devtenant/keys.h: the devtenant's own certificate authority and keys, made at each start.
#pragma once
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace devtenant {

struct Freed {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using Key = std::unique_ptr<EVP_PKEY, Freed>;
using Certificate = std::unique_ptr<X509, Freed>;

/// A key with the certificate that is about it.
struct Identity {
  Key key;
  Certificate certificate;
};

/// A self-signed authority. Throws std::runtime_error when OpenSSL fails.
Identity CreateAuthority(const std::string& name);

/// A server certificate of `authority`. `names` is OpenSSL's subjectAltName syntax, e.g.
/// "DNS:localhost,IP:127.0.0.1". With `expired`, its validity ended yesterday.
Identity IssueServerCertificate(const Identity& authority, const std::string& names, bool expired);

std::string ToPem(const Certificate& certificate);
std::string ToDer(const Certificate& certificate);
/// Throws std::runtime_error for text that holds no PEM certificate.
Certificate CertificateFromPem(std::string_view pem);
/// Null for bytes that are no certificate in DER form.
Certificate CertificateFromDer(std::string_view der);

/// Seconds since the epoch.
struct Validity {
  int64_t not_before = 0, not_after = 0;
};
Validity ValidityOf(const Certificate& certificate);
/// Throws std::runtime_error for text that holds no PEM private key.
Key KeyFromPem(std::string_view pem);

}  // namespace devtenant
