#include "test/devtenant/directory.h"
#include "test/devtenant/key_vault_routes.h"

namespace devtenant {
namespace {

using httplib::Request;
using httplib::Response;
using nlohmann::json;
using Serve = json (*)(Tenant&, const std::string& name, const json& body);

const json kDone = {{"done", true}};

// With a value: a new version. Without: changes the newest one's attributes, or those of `version`.
json ChangeSecret(Tenant& tenant, const std::string& name, const json& body) {
  KeyVault& vault = tenant.vault;
  if (body.contains("value")) {
    tenant.recorder.Secret("vault_secret", "seen", "control", body.at("value"));
    return {{"version", AddVaultSecret(vault, name, body, tenant.Now()).version}};
  }
  RequireKnown(body, {"version", "enabled", "nbf", "exp", "deleted"});
  if (body.contains("deleted")) {
    auto& from = body.at("deleted").get<bool>() ? vault.secrets : vault.deleted_secrets;
    auto& to = body.at("deleted").get<bool>() ? vault.deleted_secrets : vault.secrets;
    to.insert(from.extract(VaultName(name)));
    return kDone;
  }
  VaultSecret& secret =
      FindVersion(vault.secrets, name, body.value("version", ""), "SecretNotFound");
  PatchAttributes(secret.attributes, body);
  return kDone;
}

json ShowSecret(Tenant& tenant, const std::string& name, const json&) {
  json list = json::array();
  const auto found = tenant.vault.secrets.find(VaultName(name));
  if (found == tenant.vault.secrets.end()) return list;
  for (const VaultSecret& secret : found->second) {
    list.push_back({{"version", secret.version},
                    {"value", secret.value},
                    {"enabled", secret.attributes.enabled},
                    {"exp", secret.attributes.exp}});
  }
  return list;
}

json ChangeKey(Tenant& tenant, const std::string& name, const json& body) {
  RequireKnown(body, {"kty", "bits", "version", "enabled", "nbf", "exp"});
  auto& keys = tenant.vault.keys;
  if (body.contains("kty")) {
    auto& versions = keys[VaultName(name)];
    versions.push_back(CreateVaultKey(body.at("kty"), body.value("bits", 2048U), tenant.Now()));
    return {{"version", versions.back().version}};
  }
  PatchAttributes(FindVersion(keys, name, body.value("version", ""), "KeyNotFound").attributes,
                  body);
  return kDone;
}

json NewCertificate(Tenant& tenant, const std::string& name, const json& body) {
  RequireKnown(body, {"pkcs12", "issuer"});
  if (body.contains("issuer")) {
    tenant.vault.policies[VaultName(name)] = {{"issuer", {{"name", body["issuer"]}}}};
  }
  const std::string pem =
      CreateVaultCertificate(tenant.vault, name, body.value("pkcs12", false), tenant.Now());
  return {{"certificate", pem}};
}

json ShowCertificate(Tenant& tenant, const std::string& name, const json&) {
  const VaultCertificate& found =
      FindVersion(tenant.vault.certificates, name, "", "CertificateNotFound");
  return {{"version", found.version},
          {"tags", found.tags},
          {"certificate", ToPem(found.identity->certificate)}};
}

json AssignRoles(Tenant& tenant, const std::string& object_id, const json& body) {
  RequireKnown(body, {"roles"});
  tenant.vault.roles[object_id] = body.at("roles");
  return kDone;
}

auto Handler(Tenant& tenant, Serve serve) {
  return [&tenant, serve](const Request& request, Response& response) {
    json answer;
    try {
      const json body = request.body.empty() ? json::object() : json::parse(request.body);
      const std::lock_guard lock(tenant.mutex);
      answer = serve(tenant, request.matches[1], body);
    } catch (const VaultError& error) {
      response.status = 400;
      answer = {{"error", error.code}};
    } catch (const std::exception& error) {
      response.status = 400;
      answer = {{"error", error.what()}};
    }
    response.set_content(answer.dump() + "\n", "application/json");
  };
}

}  // namespace

void AddKeyVaultControl(Routes& routes, Tenant& tenant) {
  routes.Post("/vault/secrets/([^/]+)", Handler(tenant, ChangeSecret));
  routes.Get("/vault/secrets/([^/]+)", Handler(tenant, ShowSecret));
  routes.Post("/vault/keys/([^/]+)", Handler(tenant, ChangeKey));
  routes.Post("/vault/certificates/([^/]+)", Handler(tenant, NewCertificate));
  routes.Get("/vault/certificates/([^/]+)", Handler(tenant, ShowCertificate));
  routes.Post("/vault/roles/([^/]+)", Handler(tenant, AssignRoles));
}

}  // namespace devtenant
