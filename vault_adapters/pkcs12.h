// vault_adapters/pkcs12.h: a certificate's private part from PKCS#12 (RFC 7292) to PEM.
#pragma once
#include "broker/base/result.h"
#include "broker/base/secret.h"

namespace vault {

/// `base64` of a PKCS#12 file without a password, as Key Vault gives it. Returns the private key
/// (PKCS#8), its certificate and the chain, PEM. Errors: kCorrupt (not base64, not PKCS#12, a
/// password, more iterations than kMaxPkcs12Iterations, no key or no certificate); the detail never
/// quotes it. OpenSSL keeps the key outside the arena meanwhile and wipes it.
broker::Result<broker::Secret> PemOfPkcs12(const broker::Secret& base64);

}  // namespace vault
