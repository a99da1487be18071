#include "test/devtenant/proof_token.h"

#include <algorithm>

#include "test/devtenant/encoding.h"
#include "test/devtenant/entra_error.h"
#include "test/devtenant/jwt.h"

namespace devtenant {
namespace {

constexpr int64_t kLifetimeSeconds = 3600;
constexpr int64_t kClockSkewSeconds = 300;
constexpr char kPlatformKeyId[] = "platform-1";

std::string OwnIssuer(const Tenant& tenant) {
  return tenant.authority + "/" + tenant.directory.tenant_id + "/v2.0";
}

nlohmann::json Times(const Tenant& tenant) {
  const int64_t now = tenant.Now();
  return {{"iat", now}, {"nbf", now}, {"exp", now + kLifetimeSeconds}};
}

bool ValidNow(const Tenant& tenant, const nlohmann::json& claims) {
  const int64_t now = tenant.Now();
  return claims.value("nbf", INT64_MAX) <= now + kClockSkewSeconds &&
         claims.value("exp", int64_t{0}) > now - kClockSkewSeconds;
}

bool SignedWith(const ParsedJwt& jwt, const Key& key, const std::string& key_id) {
  return jwt.header.value("alg", "") == "RS256" && jwt.header.value("kid", "") == key_id &&
         VerifyJwt(jwt, key.get());
}

struct Expected {
  std::string issuer, subject;
};

Expected ExpectedOf(const Tenant& tenant, const Registration& registration,
                    const std::string& issuer) {
  if (!registration.blueprint.empty()) return {OwnIssuer(tenant), registration.client_id};
  const auto found =
      std::ranges::find(registration.federated, issuer, &FederatedCredential::issuer);
  if (found == registration.federated.end()) throw EntraError{.code = 700211};
  return {found->issuer, found->subject};
}

}  // namespace

std::string PlatformIssuer(const Tenant& tenant) { return tenant.authority + "/platform"; }

nlohmann::json MintExchangeToken(Tenant& tenant, const Registration& client,
                                 const std::string& subject) {
  nlohmann::json claims = Times(tenant);
  claims.update({{"aud", kExchange},
                 {"iss", OwnIssuer(tenant)},
                 {"sub", subject},
                 {"oid", client.client_id},
                 {"appid", client.client_id},
                 {"idtyp", "app"},
                 {"tid", tenant.directory.tenant_id},
                 {"uti", ToBase64Url(RandomBytes(16))},
                 {"ver", "2.0"}});
  const std::string token = SignRs256(tenant.signing.key, {{"kid", tenant.signing_key_id}}, claims);
  tenant.recorder.Secret("exchange_token", "issued", "token", token);
  return {{"token_type", "Bearer"},
          {"access_token", token},
          {"expires_in", kLifetimeSeconds},
          {"ext_expires_in", kLifetimeSeconds}};
}

nlohmann::json VerifyOwnToken(const Tenant& tenant, const std::string& token) {
  const auto jwt = ParseJwt(token);
  if (!jwt || !SignedWith(*jwt, tenant.signing.key, tenant.signing_key_id)) {
    throw EntraError{.code = 50013};
  }
  if (!ValidNow(tenant, jwt->claims)) throw EntraError{.code = 500133};
  return jwt->claims;
}

void CheckForeignAssertion(const Tenant& tenant, const std::string& assertion,
                           const Registration& registration) {
  const auto jwt = ParseJwt(assertion);
  if (!jwt) throw EntraError{.code = 700027};
  const std::string issuer = jwt->claims.value("iss", "");
  const Expected expected = ExpectedOf(tenant, registration, issuer);
  if (issuer != expected.issuer) throw EntraError{.code = 700211};
  if (jwt->claims.value("sub", "") != expected.subject) throw EntraError{.code = 700213};
  if (jwt->claims.value("aud", "") != kExchange) throw EntraError{.code = 700212};
  const bool own = issuer == OwnIssuer(tenant);
  const bool good = own ? SignedWith(*jwt, tenant.signing.key, tenant.signing_key_id)
                        : SignedWith(*jwt, tenant.platform.key, kPlatformKeyId);
  if (!good) throw EntraError{.code = 700027};
  // Only the blueprint's own first leg vouches for an agent identity.
  const bool vouched =
      registration.blueprint.empty() || jwt->claims.value("appid", "") == registration.blueprint;
  if (!vouched) throw EntraError{.code = 700213};
  if (!ValidNow(tenant, jwt->claims)) throw EntraError{.code = 700024};
}

std::string MintUserToken(Tenant& tenant, const User& user, const std::string& audience,
                          const nlohmann::json& claims) {
  nlohmann::json all = Times(tenant);
  all.update({{"aud", audience},
              {"iss", OwnIssuer(tenant)},
              {"azp", NewGuid()},
              {"name", user.name},
              {"oid", user.oid},
              {"preferred_username", user.upn},
              {"scp", "access_as_user"},
              {"sub", ToBase64Url(Sha256(user.oid + audience))},
              {"tid", tenant.directory.tenant_id},
              {"uti", ToBase64Url(RandomBytes(16))},
              {"ver", "2.0"}});
  all.merge_patch(claims);
  std::string token = SignRs256(tenant.signing.key, {{"kid", tenant.signing_key_id}}, all);
  tenant.recorder.Secret("user_assertion", "issued", "control", token);
  return token;
}

std::string MintPlatformToken(Tenant& tenant, const std::string& subject,
                              const nlohmann::json& claims) {
  nlohmann::json all = Times(tenant);
  all.update({{"aud", kExchange}, {"iss", PlatformIssuer(tenant)}, {"sub", subject}});
  all.merge_patch(claims);
  std::string token = SignRs256(tenant.platform.key, {{"kid", kPlatformKeyId}}, all);
  tenant.recorder.Secret("client_assertion", "issued", "control", token);
  return token;
}

}  // namespace devtenant
