#include "test/devtenant/key_vault_access.h"

#include <algorithm>

#include "test/devtenant/jwt.h"

namespace devtenant {
namespace {

// The data actions of the built-in roles, as far as this vault has them.
const std::map<std::string, std::set<std::string>> kRoles = {
    {"Key Vault Secrets User", {"secrets/get", "secrets/list"}},
    {"Key Vault Secrets Officer",
     {"secrets/get", "secrets/list", "secrets/set", "secrets/update", "secrets/delete",
      "secrets/recover"}},
    {"Key Vault Certificate User", {"certificates/get", "secrets/get", "secrets/list", "keys/get"}},
    {"Key Vault Certificates Officer",
     {"certificates/get", "certificates/create", "certificates/import", "certificates/update"}},
    {"Key Vault Crypto User", {"keys/get", "keys/sign", "keys/wrap", "keys/unwrap"}},
    {"Key Vault Crypto Service Encryption User", {"keys/get", "keys/wrap", "keys/unwrap"}},
};
constexpr char kAdministrator[] = "Key Vault Administrator";

[[noreturn]] void Unauthorized(const std::string& message) {
  throw VaultError{.status = 401, .code = "Unauthorized", .message = message, .inner = {}};
}

}  // namespace

std::string VaultChallenge(const Tenant& tenant) {
  return "Bearer authorization=\"" + tenant.authority + "/" + tenant.directory.tenant_id +
         "\", resource=\"" + tenant.vault.resource + "\"";
}

nlohmann::json VaultCaller(Tenant& tenant, const httplib::Request& request) {
  const std::string header = request.get_header_value("Authorization");
  if (!header.starts_with("Bearer ")) {
    Unauthorized("AKV10000: Request is missing a Bearer or PoP token.");
  }
  const std::string token = header.substr(7);
  tenant.recorder.Secret("access_token", "seen", "vault", token);
  const auto jwt = ParseJwt(token);
  if (!jwt || jwt->header.value("alg", "") != "RS256") {
    Unauthorized("AKV10046: Unable to parse the token.");
  }
  if (!VerifyJwt(*jwt, tenant.signing.key.get())) {
    Unauthorized("AKV10046: Unable to resolve the key used for signature validation.");
  }
  const nlohmann::json& claims = jwt->claims;
  if (claims.value("aud", "") != tenant.vault.resource) {
    Unauthorized("AKV10022: Invalid audience.");
  }
  if (claims.value("tid", "") != tenant.directory.tenant_id) {
    Unauthorized("AKV10032: Invalid issuer.");
  }
  const int64_t now = tenant.Now();
  if (claims.value("exp", int64_t{0}) <= now || claims.value("nbf", INT64_MAX) > now) {
    Unauthorized("AKV10061: The token is outside of its lifetime.");
  }
  return claims;
}

void RequireRole(const KeyVault& vault, const nlohmann::json& claims, const std::string& action) {
  const auto held = vault.roles.find(claims.value("oid", ""));
  const bool may =
      held != vault.roles.end() && std::ranges::any_of(held->second, [&](const std::string& role) {
        const auto row = kRoles.find(role);
        return role == kAdministrator || (row != kRoles.end() && row->second.contains(action));
      });
  if (may) return;
  throw VaultError{.status = 403,
                   .code = "Forbidden",
                   .message =
                       "Caller is not authorized to perform action on resource.\nAction: "
                       "'Microsoft.KeyVault/vaults/" +
                       action + "/action'",
                   .inner = "ForbiddenByRbac"};
}

}  // namespace devtenant
