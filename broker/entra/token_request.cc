#include "broker/entra/token_request.h"

#include <utility>

#include "broker/entra/form.h"

namespace broker::entra {
namespace {

constexpr std::string_view kAssertionType =
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";  // RFC 7523 §2.2

std::string TenantUrl(const Authority& authority, std::string_view path) {
  return authority.base + "/" + PercentEncode(authority.tenant) + std::string(path);
}

void AddClient(Form& form, const Client& client) {
  form.Add("client_id", client.id);
  if (!client.secret.empty()) form.Add("client_secret", client.secret);
  if (client.assertion.empty()) return;
  form.Add("client_assertion_type", kAssertionType);
  form.Add("client_assertion", client.assertion);
}

HttpRequest Post(std::string url, Form form, const std::string& request_id = {}) {
  HttpRequest request;
  request.method = "POST";
  request.url = std::move(url);
  request.headers.emplace_back("Accept", "application/json");
  if (!request_id.empty()) request.headers.emplace_back("client-request-id", request_id);
  request.content_type = Form::kContentType;
  request.body = form.Take();
  return request;
}

std::string WithOfflineAccess(const std::string& scope) { return scope + " offline_access"; }

}  // namespace

std::string TokenUrl(const Authority& authority) {
  return TenantUrl(authority, "/oauth2/v2.0/token");
}
std::string DeviceCodeUrl(const Authority& authority) {
  return TenantUrl(authority, "/oauth2/v2.0/devicecode");
}
std::string DiscoveryUrl(const Authority& authority) {
  return TenantUrl(authority, "/v2.0/.well-known/openid-configuration");
}

std::string KeysUrl(const Authority& authority) {
  return TenantUrl(authority, "/discovery/v2.0/keys");
}

std::string ScopeText(std::string_view resource, const std::vector<std::string>& names) {
  if (names.empty()) return std::string(resource) + "/.default";
  std::string text;
  for (const std::string& name : names) {
    if (!text.empty()) text += ' ';
    text.append(resource).append("/").append(name);
  }
  return text;
}

HttpRequest ClientCredentialsGrant(const Authority& authority, const Client& client,
                                   const Wanted& wanted) {
  Form form;
  form.Add("grant_type", "client_credentials");
  AddClient(form, client);
  form.Add("scope", wanted.scope);
  if (!wanted.claims.empty()) form.Add("claims", wanted.claims);
  return Post(TokenUrl(authority), std::move(form), wanted.request_id);
}

HttpRequest RefreshTokenGrant(const Authority& authority, const Client& client,
                              const Secret& refresh_token, const Wanted& wanted) {
  Form form;
  form.Add("grant_type", "refresh_token");
  AddClient(form, client);
  form.Add("refresh_token", refresh_token);
  form.Add("scope", WithOfflineAccess(wanted.scope));
  if (!wanted.claims.empty()) form.Add("claims", wanted.claims);
  return Post(TokenUrl(authority), std::move(form), wanted.request_id);
}

HttpRequest AuthorizationCodeGrant(const Authority& authority, const Client& client,
                                   const CodeProof& proof, const Wanted& wanted) {
  Form form;
  form.Add("grant_type", "authorization_code");
  AddClient(form, client);
  form.Add("code", proof.code);
  form.Add("code_verifier", proof.verifier);
  form.Add("redirect_uri", proof.redirect_uri);
  form.Add("scope", WithOfflineAccess(wanted.scope));
  return Post(TokenUrl(authority), std::move(form), wanted.request_id);
}

HttpRequest OnBehalfOfGrant(const Authority& authority, const Client& client,
                            const Secret& user_assertion, const Wanted& wanted) {
  Form form;
  form.Add("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
  AddClient(form, client);
  form.Add("assertion", user_assertion);
  form.Add("requested_token_use", "on_behalf_of");
  form.Add("scope", wanted.scope);
  if (!wanted.claims.empty()) form.Add("claims", wanted.claims);
  return Post(TokenUrl(authority), std::move(form), wanted.request_id);
}

HttpRequest BlueprintGrant(const Authority& authority, const Client& blueprint,
                           const std::string& agent_id, const Wanted& wanted) {
  Form form;
  form.Add("grant_type", "client_credentials");
  AddClient(form, blueprint);
  form.Add("fmi_path", agent_id);
  form.Add("scope", wanted.scope);
  return Post(TokenUrl(authority), std::move(form), wanted.request_id);
}

HttpRequest AgentUserGrant(const Authority& authority, const Client& agent,
                           const Secret& agent_token, const std::string& user_oid,
                           const Wanted& wanted) {
  Form form;
  form.Add("grant_type", "user_fic");
  AddClient(form, agent);
  form.Add("user_federated_identity_credential", agent_token);
  form.Add("user_id", user_oid);
  form.Add("scope", wanted.scope);
  if (!wanted.claims.empty()) form.Add("claims", wanted.claims);
  return Post(TokenUrl(authority), std::move(form), wanted.request_id);
}

HttpRequest DeviceCodeStart(const Authority& authority, const Client& client,
                            const Wanted& wanted) {
  Form form;
  form.Add("client_id", client.id);
  form.Add("scope", WithOfflineAccess(wanted.scope));
  return Post(DeviceCodeUrl(authority), std::move(form), wanted.request_id);
}

HttpRequest SignInCodeStart(const Authority& authority, const Client& client) {
  Form form;
  form.Add("client_id", client.id);
  form.Add("scope", "openid profile");
  return Post(DeviceCodeUrl(authority), std::move(form));
}

HttpRequest DeviceCodeGrant(const Authority& authority, const Client& client,
                            const Secret& device_code) {
  Form form;
  form.Add("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
  AddClient(form, client);
  form.Add("device_code", device_code);
  return Post(TokenUrl(authority), std::move(form));
}

}  // namespace broker::entra
