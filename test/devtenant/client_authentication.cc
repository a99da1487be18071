#include "test/devtenant/client_authentication.h"

#include <algorithm>
#include <cmath>

#include "test/devtenant/entra_error.h"
#include "test/devtenant/jwt.h"
#include "test/devtenant/proof_token.h"

namespace devtenant {
namespace {

constexpr char kJwtBearer[] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
constexpr int64_t kLongestAssertionSeconds = 600;
constexpr int64_t kClockSkewSeconds = 300;  // what Entra forgives

// MSAL for Python pads it.
std::string Thumbprint(const ParsedJwt& jwt, const char* name) {
  std::string text = jwt.header.value(name, "");
  text.erase(text.find_last_not_of('=') + 1);
  return text;
}

bool SignedByRegistration(const ParsedJwt& jwt, Registration& registration, int64_t now) {
  const std::string sha256 = Thumbprint(jwt, "x5t#S256");
  const std::string sha1 = Thumbprint(jwt, "x5t");
  return std::ranges::any_of(registration.certificates, [&](KeyCredential& known) {
    if (sha256.empty() ? sha1 != known.sha1 : sha256 != known.sha256) return false;
    const Certificate certificate = CertificateFromPem(known.pem);
    return VerifyJwt(jwt, X509_get0_pubkey(certificate.get())) && now >= known.start &&
           now < known.end && HasArrived(known.propagation);
  });
}

bool IsOurTokenEndpoint(const Tenant& tenant, const nlohmann::json& audience) {
  const auto endpoint = [&](const std::string& name) {
    return tenant.authority + "/" + name + "/oauth2/v2.0/token";
  };
  return audience == endpoint(tenant.directory.tenant_id) ||
         audience == endpoint(tenant.directory.domain);
}

void CheckTimes(const Tenant& tenant, const nlohmann::json& claims) {
  // With a fraction, too, as MSAL for Python writes them (RFC 7519, 2: NumericDate).
  const auto seconds = [&](const char* name) -> int64_t {
    const auto claim = claims.find(name);
    if (claim == claims.end() || !claim->is_number()) throw EntraError{.code = 700024};
    return static_cast<int64_t>(std::floor(claim->get<double>()));
  };
  const int64_t now = tenant.Now();
  const int64_t not_before = seconds(claims.contains("nbf") ? "nbf" : "iat");
  const int64_t expires = seconds("exp");
  if (not_before > now + kClockSkewSeconds || expires < now - kClockSkewSeconds ||
      expires - not_before > kLongestAssertionSeconds || expires <= not_before) {
    throw EntraError{.code = 700024};
  }
}

// Issued by somebody whom the registration trusts, not by itself.
bool IsForeign(const std::string& assertion, const Registration& registration) {
  if (!registration.blueprint.empty()) return true;
  const auto jwt = ParseJwt(assertion);
  return jwt && !registration.federated.empty() &&
         jwt->claims.value("iss", "") != registration.client_id;
}

void CheckAssertion(Tenant& tenant, const Form& form, Registration& registration) {
  if (Required(form, "client_assertion_type") != kJwtBearer) throw EntraError{.code = 9002313};
  const std::string& assertion = form.at("client_assertion");
  tenant.recorder.Secret("client_assertion", "seen", "token", assertion);
  if (IsForeign(assertion, registration)) {
    return CheckForeignAssertion(tenant, assertion, registration);
  }
  const auto jwt = ParseJwt(assertion);
  if (!jwt || !SignedByRegistration(*jwt, registration, tenant.Now()))
    throw EntraError{.code = 700027};
  const std::string& id = registration.client_id;
  if (jwt->claims.value("iss", "") != id || jwt->claims.value("sub", "") != id) {
    throw EntraError{.code = 700021};
  }
  if (!jwt->claims.contains("aud") || !IsOurTokenEndpoint(tenant, jwt->claims.at("aud"))) {
    throw EntraError{.code = 700023};
  }
  CheckTimes(tenant, jwt->claims);
  const std::string jti = jwt->claims.value("jti", "");
  if (jti.empty() || !tenant.seen_assertions.insert(id + " " + jti).second) {
    throw EntraError{.code = 700027};
  }
}

void CheckSecret(Tenant& tenant, const std::string& secret, Registration& registration) {
  tenant.recorder.Secret("client_secret", "seen", "token", secret);
  const auto known = std::ranges::find(registration.passwords, secret, &PasswordCredential::secret);
  const int64_t now = tenant.Now();
  if (known == registration.passwords.end() || now < known->start ||
      !HasArrived(known->propagation)) {
    throw EntraError{.code = 7000215};
  }
  if (now >= known->end) throw EntraError{.code = 7000222};
}

}  // namespace

const std::string& Required(const Form& form, const std::string& name) {
  const auto found = form.find(name);
  if (found == form.end() || found->second.empty()) throw EntraError{.code = 900144};
  return found->second;
}

AuthenticatedClient AuthenticateClient(Tenant& tenant, const Form& form, bool public_allowed) {
  Registration* registration = tenant.directory.FindRegistration(Required(form, "client_id"));
  if (registration == nullptr) throw EntraError{.code = 700016};
  const bool secret = form.contains("client_secret");
  const bool assertion = form.contains("client_assertion");
  if (secret && assertion) throw EntraError{.code = 9002313};
  if (registration->public_client) {
    if (secret || assertion) throw EntraError{.code = 700025};
    if (!public_allowed) throw EntraError{.code = 7000218};
  } else if (secret) {
    CheckSecret(tenant, form.at("client_secret"), *registration);
  } else if (assertion) {
    CheckAssertion(tenant, form, *registration);
  } else {
    throw EntraError{.code = 7000218};
  }
  if (!registration->enabled) throw EntraError{.code = 7000112};
  return {.registration = registration, .appidacr = assertion ? "2" : secret ? "1" : "0"};
}

}  // namespace devtenant
