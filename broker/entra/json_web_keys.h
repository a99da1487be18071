// broker/entra/json_web_keys.h: the public keys that a tenant's tokens are signed with.
#pragma once
#include <openssl/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"
#include "broker/base/secret.h"
#include "broker/entra/client_certificate.h"

namespace broker::entra {

struct VerificationKey {
  std::string id;  // kid
  std::shared_ptr<EVP_PKEY> key;
  std::string issuer =
      {};  // whose tokens it may sign; "{tenantid}" in it is any tenant; may be empty
};

// Entra publishes about five; each costs an OpenSSL object.
inline constexpr size_t kMaxVerificationKeys = 64;

/// Reads a JWK Set (RFC 7517 §5): its RSA keys for signatures (RFC 7518 §6.3.1) of 2048 to 8192
/// bits with the exponent 65537. Other keys are passed over, as RFC 7517 §5 asks. Errors: kCorrupt:
/// not a key set, a key id twice, an issuer that is no text, none that serves.
Result<std::vector<VerificationKey>> ReadJsonWebKeys(const Secret& body);

/// RS256 (RFC 7518 §3.3): the one algorithm that Entra signs users' tokens with.
bool VerifyRs256(const VerificationKey& key, std::string_view signed_bytes,
                 std::string_view signature);

}  // namespace broker::entra
