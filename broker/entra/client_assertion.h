// broker/entra/client_assertion.h: the JWT with which an application proves that it has its key.
#pragma once
#include <chrono>
#include <string>
#include <string_view>

#include "broker/base/result.h"
#include "broker/base/secret.h"
#include "broker/entra/client_certificate.h"
#include "broker/ports/clock.h"
#include "broker/ports/random.h"
#include "broker/ports/signer.h"

namespace broker::entra {

// Entra takes assertions of at most ten minutes; nine leave a minute for its clock.
inline constexpr std::chrono::minutes kAssertionLife{9};

/// For whom and to whom one assertion speaks.
struct AssertionParties {
  std::string thumbprint;  // x5t#S256 of the certificate that Entra knows
  std::string client_id;
  std::string audience;  // the tenant's token endpoint
};

/// The part that is signed, "header.claims", of an assertion to be used once (RFC 7523 §3; PS256 of
/// RFC 7518 §3.5; claims and header as in "Microsoft identity platform application authentication
/// certificate credentials"). Not secret: it proves nothing yet.
std::string AssertionToSign(const AssertionParties& parties, Clock::Wall now, Random& random);
/// What a remote key is asked to sign.
Signer::Digest DigestOf(std::string_view to_sign);
/// The whole assertion.
Secret AttachSignature(std::string_view to_sign, std::string_view signature);

/// The three of them with a key that is here. Errors: kUnavailable (OpenSSL failed).
Result<Secret> SignClientAssertion(const ClientCertificate& certificate,
                                   const std::string& client_id, const std::string& audience,
                                   Clock::Wall now, Random& random);

}  // namespace broker::entra
