// broker/entra/client_assertion.h: the JWT with which an application proves that it has its key.
#pragma once
#include <chrono>
#include <string>

#include "broker/base/result.h"
#include "broker/base/secret.h"
#include "broker/entra/client_certificate.h"
#include "broker/ports/clock.h"
#include "broker/ports/random.h"

namespace broker::entra {

// Entra takes assertions of at most ten minutes; nine leave a minute for its clock.
inline constexpr std::chrono::minutes kAssertionLife{9};

/// Signs one assertion for `client_id`, to be used once (RFC 7523 §3; PS256 of RFC 7518 §3.5;
/// claims and header as in "Microsoft identity platform application authentication certificate
/// credentials"). `audience` is the tenant's token endpoint. Errors: kUnavailable (OpenSSL failed).
Result<Secret> SignClientAssertion(const ClientCertificate& certificate,
                                   const std::string& client_id, const std::string& audience,
                                   Clock::Wall now, Random& random);

}  // namespace broker::entra
