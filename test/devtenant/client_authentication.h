// test/devtenant/client_authentication.h: is the client the registration that it says it is?
#pragma once
#include <map>
#include <string>

#include "test/devtenant/tenant.h"

namespace devtenant {

using Form = std::map<std::string, std::string>;

struct AuthenticatedClient {
  Registration* registration = nullptr;  // borrowed from the directory
  std::string appidacr;                  // "0" public, "1" secret, "2" certificate
};

/// Checks client_id with client_secret or client_assertion (RFC 7523; PS256 or RS256, x5t#S256 or
/// x5t of a registered certificate, iss, sub, aud, jti used once, at most ten minutes; or a token
/// of whom the registration trusts, see CheckForeignAssertion). A public client needs neither; one
/// that sends either is refused. Throws EntraError. The caller holds the tenant's mutex.
AuthenticatedClient AuthenticateClient(Tenant& tenant, const Form& form, bool public_allowed);

/// The parameter, or EntraError 900144.
const std::string& Required(const Form& form, const std::string& name);

}  // namespace devtenant
