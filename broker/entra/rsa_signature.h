// broker/entra/rsa_signature.h: RSA signatures with a key that is here.
#pragma once
#include <openssl/types.h>

#include <string>
#include <string_view>

#include "broker/base/result.h"

namespace broker::entra {

/// RSASSA-PSS with SHA-256, MGF1 of the same and a salt as long as the digest (RFC 7518 §3.5).
/// Errors of both: kUnavailable (OpenSSL failed).
Result<std::string> SignPs256(EVP_PKEY* key, std::string_view text);
/// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3).
Result<std::string> SignRs256(EVP_PKEY* key, std::string_view text);

}  // namespace broker::entra
