#include "test/devtenant/token_endpoint.h"

#include <utility>

#include "test/devtenant/access_token.h"
#include "test/devtenant/encoding.h"
#include "test/devtenant/entra_error.h"
#include "test/devtenant/proof_token.h"
#include "test/devtenant/requested_scopes.h"

namespace devtenant {
namespace {

constexpr char kDeviceCodeGrant[] = "urn:ietf:params:oauth:grant-type:device_code";
constexpr char kOldDeviceCodeGrant[] = "device_code";  // MSAL for JavaScript's name of it
constexpr char kOnBehalfOfGrant[] = "urn:ietf:params:oauth:grant-type:jwt-bearer";
constexpr char kApiPrefix[] = "api://";
constexpr size_t kRefreshTokenBytes = 900;  // Entra's have 1 to 2 kB in base64url

std::string Optional(const Form& form, const std::string& name) {
  const auto found = form.find(name);
  return found == form.end() ? "" : found->second;
}

const User& LivingUser(Tenant& tenant, const std::string& oid) {
  const User* user = tenant.directory.FindUser(oid);
  if (user == nullptr) throw EntraError{.code = 50034};
  if (!user->enabled) throw EntraError{.code = 50057};
  return *user;
}

std::string IssueRefreshToken(Tenant& tenant, const RefreshToken& grant) {
  std::string value = "1.A" + ToBase64Url(RandomBytes(kRefreshTokenBytes));
  tenant.recorder.Secret("refresh_token", "issued", "token", value);
  tenant.refresh_tokens[value] = grant;
  return value;
}

// Entra's habit: whatever was asked, all that was consented to for the resource is minted; by an
// administrator for everybody, or by the user.
std::set<std::string> Consented(const Registration& registration, const User& user,
                                const RequestedScopes& requested) {
  std::set<std::string> all;
  const auto add = [&](const std::map<std::string, std::set<std::string>>& consents) {
    const auto found = consents.find(requested.resource);
    if (found != consents.end()) all.insert(found->second.begin(), found->second.end());
  };
  add(registration.delegated);
  const auto own = registration.delegated_users.find(user.oid);
  if (own != registration.delegated_users.end()) add(own->second);
  if (all.empty() && !requested.names.empty()) throw EntraError{.code = 65001};
  for (const std::string& name : requested.names) {
    if (name != ".default" && !all.contains(name)) throw EntraError{.code = 65001};
  }
  return all;
}

nlohmann::json AnswerForUser(Tenant& tenant, const AuthenticatedClient& client, const User& user,
                             const RequestedScopes& requested, const Form& form, const Fault& fault,
                             const std::string& nonce = {}) {
  std::set<std::string> permissions = Consented(*client.registration, user, requested);
  permissions.insert(fault.extra_scopes.begin(), fault.extra_scopes.end());
  nlohmann::json answer = MintAccessToken(tenant,
                                          {.client = client,
                                           .user = &user,
                                           .audience = requested.audience,
                                           .permissions = permissions,
                                           .claims = Optional(form, "claims")},
                                          fault);
  std::string scope = "profile openid email";
  for (const std::string& name : permissions) scope += " " + requested.prefix + name;
  answer["scope"] = scope;
  if (requested.openid) answer["id_token"] = MintIdToken(tenant, *client.registration, user, nonce);
  if (Optional(form, "client_info") == "1") {  // of whom a library keeps tokens
    const nlohmann::json account = {{"uid", user.oid}, {"utid", tenant.directory.tenant_id}};
    answer["client_info"] = ToBase64Url(account.dump());
  }
  return answer;
}

// The first leg for an agent identity, by its blueprint; or an agent's own token to show.
nlohmann::json GrantExchange(Tenant& tenant, const Registration& client, const Form& form) {
  const std::string path = Optional(form, "fmi_path");
  if (path.empty() == client.blueprint.empty()) throw EntraError{.code = 82001};
  if (path.empty()) return MintExchangeToken(tenant, client, client.client_id);
  const Registration* agent = tenant.directory.FindRegistration(path);
  if (agent == nullptr || agent->blueprint != client.client_id) throw EntraError{.code = 700016};
  if (!agent->enabled) throw EntraError{.code = 7000112};
  return MintExchangeToken(tenant, client, path);
}

nlohmann::json GrantClientCredentials(Tenant& tenant, const Form& form, const Fault& fault) {
  const AuthenticatedClient client = AuthenticateClient(tenant, form, /*public_allowed=*/false);
  const RequestedScopes requested = ParseScopes(tenant, Required(form, "scope"));
  if (requested.names != std::set<std::string>{".default"}) throw EntraError{.code = 1002012};
  if (requested.resource == kExchange) return GrantExchange(tenant, *client.registration, form);
  if (form.contains("fmi_path")) throw EntraError{.code = 82001};
  const auto& consents = client.registration->application;
  const auto roles = consents.find(requested.resource);
  // Graph and Key Vault are in every tenant, and need no consent to be asked.
  const bool known = requested.resource == kGraph || requested.resource == tenant.vault.resource;
  if (roles == consents.end() && !known) throw EntraError{.code = 500011};
  std::set<std::string> permissions;
  if (roles != consents.end()) permissions = roles->second;
  permissions.insert(fault.extra_scopes.begin(), fault.extra_scopes.end());
  return MintAccessToken(tenant,
                         {.client = client,
                          .user = nullptr,
                          .audience = requested.audience,
                          .permissions = permissions,
                          .claims = Optional(form, "claims")},
                         fault);
}

void KillFamily(Tenant& tenant, const std::string& family) {
  for (auto& [value, token] : tenant.refresh_tokens) {
    if (token.family == family) token.dead = 50173;
  }
}

nlohmann::json GrantRefreshToken(Tenant& tenant, const Form& form, const Fault& fault) {
  const std::string value = Required(form, "refresh_token");
  tenant.recorder.Secret("refresh_token", "seen", "token", value);
  const AuthenticatedClient client = AuthenticateClient(tenant, form, /*public_allowed=*/true);
  const auto found = tenant.refresh_tokens.find(value);
  if (found == tenant.refresh_tokens.end() ||
      found->second.client_id != client.registration->client_id) {
    throw EntraError{.code = 70000};
  }
  if (tenant.settings.rotate_strictly && found->second.used) {
    KillFamily(tenant, found->second.family);
  }
  if (found->second.dead != 0) throw EntraError{.code = found->second.dead};
  const User& user = LivingUser(tenant, found->second.oid);
  const RequestedScopes requested = ParseScopes(tenant, Required(form, "scope"));
  nlohmann::json answer = AnswerForUser(tenant, client, user, requested, form, fault);
  found->second.used = true;
  RefreshToken next = found->second;
  next.used = false;
  answer["refresh_token"] = IssueRefreshToken(tenant, next);
  return answer;
}

nlohmann::json GrantDeviceCode(Tenant& tenant, const Form& form, const Fault& fault) {
  const std::string value = Required(form, "device_code");
  tenant.recorder.Secret("device_code", "seen", "token", value);
  const AuthenticatedClient client = AuthenticateClient(tenant, form, /*public_allowed=*/true);
  const auto found = tenant.device_codes.find(value);
  if (found == tenant.device_codes.end() ||
      found->second.client_id != client.registration->client_id ||
      found->second.state == DeviceCode::State::kRedeemed) {
    throw EntraError{.code = 70018};
  }
  DeviceCode& code = found->second;
  if (tenant.Now() >= code.expires_at) throw EntraError{.code = 70019};
  if (code.state == DeviceCode::State::kPending) throw EntraError{.code = 70016};
  if (code.state == DeviceCode::State::kDeclined) throw EntraError{.code = 65004};
  const User& user = LivingUser(tenant, code.oid);
  const RequestedScopes requested = ParseScopes(tenant, code.scope);
  nlohmann::json answer = AnswerForUser(tenant, client, user, requested, form, fault);
  if (requested.offline_access) {
    answer["refresh_token"] = IssueRefreshToken(
        tenant, {.client_id = code.client_id, .oid = code.oid, .family = NewGuid()});
  }
  code.state = DeviceCode::State::kRedeemed;
  return answer;
}

// RFC 7636 §4.6; a code that was asked for without a challenge takes no verifier.
void CheckVerifier(Tenant& tenant, const AuthorizationCode& code, const Form& form) {
  const std::string verifier = Optional(form, "code_verifier");
  if (!verifier.empty()) tenant.recorder.Secret("code_verifier", "seen", "token", verifier);
  const std::string answer = verifier.empty() ? "" : ToBase64Url(Sha256(verifier));
  if (answer != code.challenge) throw EntraError{.code = 501481};
}

nlohmann::json GrantAuthorizationCode(Tenant& tenant, const Form& form, const Fault& fault) {
  const std::string& value = Required(form, "code");
  tenant.recorder.Secret("authorization_code", "seen", "token", value);
  const AuthenticatedClient client = AuthenticateClient(tenant, form, /*public_allowed=*/true);
  const auto found = tenant.authorization_codes.find(value);
  if (found == tenant.authorization_codes.end() ||
      found->second.client_id != client.registration->client_id) {
    throw EntraError{.code = 70000};
  }
  AuthorizationCode& code = found->second;
  if (std::exchange(code.used, true)) throw EntraError{.code = 54005};
  if (tenant.Now() >= code.expires_at) throw EntraError{.code = 70008};
  if (Required(form, "redirect_uri") != code.redirect_uri) throw EntraError{.code = 500112};
  CheckVerifier(tenant, code, form);
  const User& user = LivingUser(tenant, code.oid);
  const std::string scope = form.contains("scope") ? form.at("scope") : code.scope;
  const RequestedScopes requested = ParseScopes(tenant, scope);
  nlohmann::json answer = AnswerForUser(tenant, client, user, requested, form, fault, code.nonce);
  if (requested.offline_access) {
    answer["refresh_token"] = IssueRefreshToken(
        tenant, {.client_id = code.client_id, .oid = code.oid, .family = NewGuid()});
  }
  return answer;
}

// Whom a user's token must be for: the application that passes it on, an agent's its blueprint's.
void CheckUserAssertion(const nlohmann::json& claims, const Registration& client) {
  const std::string& app = client.blueprint.empty() ? client.client_id : client.blueprint;
  const std::string audience = claims.value("aud", "");
  if (audience != app && audience != kApiPrefix + app) throw EntraError{.code = 50013};
  const bool of_user = claims.value("idtyp", "user") == "user" && claims.contains("scp");
  if (!of_user) throw EntraError{.code = 7000114};
}

nlohmann::json GrantOnBehalfOf(Tenant& tenant, const Form& form, const Fault& fault) {
  const std::string& assertion = Required(form, "assertion");
  tenant.recorder.Secret("user_assertion", "seen", "token", assertion);
  const AuthenticatedClient client = AuthenticateClient(tenant, form, /*public_allowed=*/false);
  if (Required(form, "requested_token_use") != "on_behalf_of") throw EntraError{.code = 9002313};
  const nlohmann::json claims = VerifyOwnToken(tenant, assertion);
  CheckUserAssertion(claims, *client.registration);
  const User& user = LivingUser(tenant, claims.value("oid", ""));
  const RequestedScopes requested = ParseScopes(tenant, Required(form, "scope"));
  nlohmann::json answer = AnswerForUser(tenant, client, user, requested, form, fault);
  if (requested.offline_access) {
    answer["refresh_token"] = IssueRefreshToken(
        tenant,
        {.client_id = client.registration->client_id, .oid = user.oid, .family = NewGuid()});
  }
  return answer;
}

// An agent identity as its own user account: the third leg.
nlohmann::json GrantAgentUser(Tenant& tenant, const Form& form, const Fault& fault) {
  const std::string& proof = Required(form, "user_federated_identity_credential");
  tenant.recorder.Secret("exchange_token", "seen", "token", proof);
  const AuthenticatedClient client = AuthenticateClient(tenant, form, /*public_allowed=*/false);
  const std::string& agent = client.registration->client_id;
  const nlohmann::json claims = VerifyOwnToken(tenant, proof);
  const bool own = claims.value("aud", "") == kExchange && claims.value("appid", "") == agent &&
                   claims.value("sub", "") == agent && !client.registration->blueprint.empty();
  if (!own || form.contains("user_id") == form.contains("username")) {
    throw EntraError{.code = own ? 9002313 : 50013};
  }
  const User& user =
      LivingUser(tenant, Required(form, form.contains("user_id") ? "user_id" : "username"));
  if (user.agent_identity != agent) throw EntraError{.code = 50034};
  const RequestedScopes requested = ParseScopes(tenant, Required(form, "scope"));
  return AnswerForUser(tenant, client, user, requested, form, fault);
}

}  // namespace

nlohmann::json GrantToken(Tenant& tenant, const Form& form, const Fault& fault) {
  const std::string& grant = Required(form, "grant_type");
  if (grant == "client_credentials") return GrantClientCredentials(tenant, form, fault);
  if (grant == "refresh_token") return GrantRefreshToken(tenant, form, fault);
  if (grant == kDeviceCodeGrant || grant == kOldDeviceCodeGrant)
    return GrantDeviceCode(tenant, form, fault);
  if (grant == "authorization_code") return GrantAuthorizationCode(tenant, form, fault);
  if (grant == kOnBehalfOfGrant) return GrantOnBehalfOf(tenant, form, fault);
  if (grant == "user_fic") return GrantAgentUser(tenant, form, fault);
  throw EntraError{.code = 70003};
}

}  // namespace devtenant
