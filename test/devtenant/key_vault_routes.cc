#include "test/devtenant/key_vault_routes.h"

#include <algorithm>
#include <array>

#include "test/devtenant/encoding.h"
#include "test/devtenant/key_vault_access.h"
#include "test/devtenant/key_vault_call.h"
#include "test/devtenant/key_vault_crypto.h"
#include "test/devtenant/misbehave.h"

namespace devtenant {
namespace {

using httplib::Request;
using httplib::Response;
using nlohmann::json;

constexpr std::array<std::string_view, 10> kApiVersions = {
    "7.0", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "7.6-preview.2", "2025-07-01", "2026-04-01"};
constexpr size_t kMaxSecretBytes = 25600;
constexpr size_t kLongestPage = 25;

void RequireApiVersion(const Request& request) {
  const std::string version = request.get_param_value("api-version");
  if (std::ranges::find(kApiVersions, version) != kApiVersions.end()) return;
  throw VaultError{400,
                   "BadParameter",
                   version.empty() ? "The request URI does not contain the api-version parameter."
                                   : "The specified version (" + version + ") is not recognized.",
                   {}};
}

json ParseBody(const Request& request) {
  if (request.body.empty()) return json::object();
  if (!request.get_header_value("Content-Type").starts_with("application/json")) {
    throw VaultError{415, "UnsupportedMediaType", "The media type is not supported.", {}};
  }
  const json body = json::parse(request.body, nullptr, /*allow_exceptions=*/false);
  if (!body.is_object()) throw VaultError{400, "BadParameter", "Request body is not valid.", {}};
  return body;
}

json WithValue(Call& call, const VaultSecret& secret) {
  json out = ToJson(secret, Id(call, "secrets", secret.version));
  out["value"] = secret.value;
  call.tenant.recorder.Secret("vault_secret", "issued", "vault", secret.value);
  return out;
}

// --- secrets

json GetSecret(Call& call) {
  const VaultSecret& secret =
      FindVersion(call.tenant.vault.secrets, call.name, call.version, "SecretNotFound");
  // The service does not look at nbf and exp here.
  if (!secret.attributes.enabled) {
    throw VaultError{403, "Forbidden", "Operation get is not allowed on a disabled secret.",
                     "SecretDisabled"};
  }
  return WithValue(call, secret);
}

json ListVersions(Call& call) {
  const auto found = call.tenant.vault.secrets.find(VaultName(call.name));
  json list = json::array();
  json out = {{"value", list}, {"nextLink", nullptr}};
  if (found == call.tenant.vault.secrets.end()) return out;
  const std::string wanted = call.request.get_param_value("maxresults");
  const size_t limit = wanted.empty() ? kLongestPage : std::strtoul(wanted.c_str(), nullptr, 10);
  if (limit < 1 || limit > kLongestPage) {
    throw VaultError{400, "BadParameter", "maxresults must be from 1 to 25.", {}};
  }
  const size_t from = std::strtoul(call.request.get_param_value("$skiptoken").c_str(), nullptr, 10);
  for (size_t i = from; i < std::min(from + limit, found->second.size()); ++i) {
    const VaultSecret& secret = found->second[i];
    list.push_back(ToJson(secret, Id(call, "secrets", secret.version)));
  }
  out["value"] = list;
  if (from + limit < found->second.size()) {
    out["nextLink"] = Id(call, "secrets", "versions") +
                      "?api-version=" + call.request.get_param_value("api-version") +
                      "&$skiptoken=" + std::to_string(from + limit) +
                      "&maxresults=" + std::to_string(limit);
  }
  return out;
}

json SetSecret(Call& call) {
  KeyVault& vault = call.tenant.vault;
  if (vault.deleted_secrets.contains(VaultName(call.name))) {
    throw VaultError{409, "Conflict",
                     "Secret is currently in a deleted but recoverable state, and its name cannot "
                     "be reused.",
                     "ObjectIsDeletedButRecoverable"};
  }
  const std::string value = TextIn(call.body, "value");
  if (value.empty() || value.size() > kMaxSecretBytes) {
    throw VaultError{400, "BadParameter", "Secret value length is not valid.", {}};
  }
  json members = call.body.value("attributes", json::object());
  for (const char* name : {"created", "updated", "recoveryLevel", "recoverableDays"}) {
    members.erase(name);
  }
  members["value"] = value;
  members["content_type"] = call.body.value("contentType", "");
  call.tenant.recorder.Secret("vault_secret", "seen", "vault", value);
  return WithValue(call, AddVaultSecret(vault, call.name, members, call.tenant.Now()));
}

json UpdateSecret(Call& call) {
  VaultSecret& secret =
      FindVersion(call.tenant.vault.secrets, call.name, call.version, "SecretNotFound");
  Patch(call, secret.attributes);
  secret.content_type = call.body.value("contentType", secret.content_type);
  return ToJson(secret, Id(call, "secrets", secret.version));
}

json DeletedForm(const Call& call, const VaultSecret& secret) {
  json out = ToJson(secret, Id(call, "secrets", secret.version));
  out["recoveryId"] = call.tenant.vault_url + "/deletedsecrets/" + call.name;
  out["deletedDate"] = call.tenant.Now();
  out["scheduledPurgeDate"] = call.tenant.Now() + 90 * 86400;
  return out;
}

json DeleteSecret(Call& call) {
  KeyVault& vault = call.tenant.vault;
  const VaultSecret newest = FindVersion(vault.secrets, call.name, "", "SecretNotFound");
  vault.deleted_secrets.insert(vault.secrets.extract(VaultName(call.name)));
  return DeletedForm(call, newest);
}

json GetDeletedSecret(Call& call) {
  return DeletedForm(
      call, FindVersion(call.tenant.vault.deleted_secrets, call.name, "", "SecretNotFound"));
}

json RecoverSecret(Call& call) {
  KeyVault& vault = call.tenant.vault;
  const VaultSecret newest = FindVersion(vault.deleted_secrets, call.name, "", "SecretNotFound");
  vault.secrets.insert(vault.deleted_secrets.extract(VaultName(call.name)));
  return ToJson(newest, Id(call, "secrets", newest.version));
}

// --- keys

json KeyForm(const Call& call, const VaultKey& key) {
  return {{"key", ToJwk(key, Id(call, "keys", key.version))},
          {"attributes", ToJson(key.attributes)}};
}

json GetKey(Call& call) {
  return KeyForm(call, FindVersion(call.tenant.vault.keys, call.name, call.version, "KeyNotFound"));
}

json CreateKey(Call& call) {
  const unsigned bits = call.body.value("key_size", 2048U);
  VaultKey key = CreateVaultKey(TextIn(call.body, "kty"), bits, call.tenant.Now());
  Patch(call, key.attributes);
  return KeyForm(call, call.tenant.vault.keys[VaultName(call.name)].emplace_back(std::move(key)));
}

json UpdateKey(Call& call) {
  VaultKey& key = FindVersion(call.tenant.vault.keys, call.name, call.version, "KeyNotFound");
  Patch(call, key.attributes);
  return KeyForm(call, key);
}

// A disabled key, or one outside its dates, does nothing: unlike secrets, the service sees to it.
void RequireUsable(const Call& call, const VaultAttributes& attributes, const char* operation) {
  const std::string text = std::string("Operation ") + operation + " is not allowed on ";
  const int64_t now = call.tenant.Now();
  if (!attributes.enabled) {
    throw VaultError{403, "Forbidden", text + "a disabled key.", "KeyDisabled"};
  }
  if (attributes.nbf > now) {
    throw VaultError{403, "Forbidden", text + "a key that is not yet valid.", "KeyNotYetValid"};
  }
  if (attributes.exp != 0 && attributes.exp <= now) {
    throw VaultError{403, "Forbidden", text + "an expired key.", "KeyExpired"};
  }
}

using Operation = std::string (*)(const VaultKey&, const std::string&, std::string_view);

json Operate(Call& call, const char* operation, Operation operate, bool makes_secret) {
  const VaultKey& key = FindVersion(call.tenant.vault.keys, call.name, call.version, "KeyNotFound");
  RequireUsable(call, key.attributes, operation);
  const auto input = FromBase64Url(TextIn(call.body, "value"));
  if (!input) throw VaultError{400, "BadParameter", "Property 'value' is not base64url.", {}};
  const std::string made = ToBase64Url(operate(key, TextIn(call.body, "alg"), *input));
  if (makes_secret) call.tenant.recorder.Secret("vault_key", "issued", "vault", made);
  return {{"kid", Id(call, "keys", key.version)}, {"value", made}};
}

json Sign(Call& call) { return Operate(call, "sign", SignDigest, false); }
json Wrap(Call& call) { return Operate(call, "wrapKey", WrapBytes, false); }
json Unwrap(Call& call) { return Operate(call, "unwrapKey", UnwrapBytes, true); }

// --- the way in

void Reply(Response& response, int status, const json& body) {
  response.status = status;
  response.set_header("Cache-Control", "no-cache");
  response.set_header("x-ms-keyvault-region", "development");
  response.set_header("x-ms-request-id", NewGuid());
  response.set_content(body.dump(), "application/json; charset=utf-8");
}

void ReplyError(const Tenant& tenant, Response& response, const VaultError& error) {
  Reply(response, error.status, ErrorBody(error));
  if (error.status == 401) response.set_header("WWW-Authenticate", VaultChallenge(tenant));
}

// The token first, as the service does: nobody learns from errors what is in there.
json Serve(Tenant& tenant, const Route& route, const Request& request) {
  const json claims = VaultCaller(tenant, request);
  RequireApiVersion(request);
  RequireRole(tenant.vault, claims, route.action);
  Call call{tenant, request, request.matches[1],
            request.matches.size() > 2 ? std::string(request.matches[2]) : "", ParseBody(request)};
  return route.serve(call);
}

void Handle(Tenant& tenant, const Route& route, const Request& request, Response& response) {
  Fault fault;
  {
    const std::lock_guard lock(tenant.mutex);
    fault = tenant.faults.TakeForRequest("vault", "", request.method, request.path);
  }
  if (!MisbehaveBefore(fault)) return;
  std::unique_lock lock(tenant.mutex);
  try {
    if (fault.status != 0) {
      throw VaultError{fault.status, fault.error.empty() ? "Fault" : fault.error,
                       "An error of a test.", fault.suberror};
    }
    json body = Serve(tenant, route, request);
    body.merge_patch(fault.answer);
    Reply(response, route.status, body);
  } catch (const VaultError& error) {
    ReplyError(tenant, response, error);
  } catch (const std::exception& error) {
    ReplyError(tenant, response, {400, "BadParameter", error.what(), {}});
  }
  tenant.recorder.Request("vault", response.status);
  lock.unlock();
  MisbehaveAfter(fault, response);
}

}  // namespace

void AddKeyVaultRoutes(Routes& routes, Tenant& tenant) {
  const auto handler = [&tenant](Route route) {
    return [&tenant, route](const Request& request, Response& response) {
      Handle(tenant, route, request, response);
    };
  };
  // A version is 32 hexadecimal digits; the newest is asked for with or without a final slash.
  const std::string name = "/([^/]+)";
  const std::string version = "/?([0-9a-f]{32})?";
  const std::string pinned = "/([0-9a-f]{32})";
  routes.Get("/secrets" + name + "/versions", handler({"secrets/list", ListVersions}));
  routes.Get("/secrets" + name + version, handler({"secrets/get", GetSecret}));
  routes.Put("/secrets" + name, handler({"secrets/set", SetSecret}));
  routes.Patch("/secrets" + name + version, handler({"secrets/update", UpdateSecret}));
  routes.Delete("/secrets" + name, handler({"secrets/delete", DeleteSecret}));
  routes.Get("/deletedsecrets" + name, handler({"secrets/recover", GetDeletedSecret}));
  routes.Post("/deletedsecrets" + name + "/recover", handler({"secrets/recover", RecoverSecret}));
  routes.Get("/keys" + name + version, handler({"keys/get", GetKey}));
  routes.Post("/keys" + name + "/create", handler({"keys/create", CreateKey}));
  routes.Patch("/keys" + name + version, handler({"keys/update", UpdateKey}));
  routes.Post("/keys" + name + pinned + "/sign", handler({"keys/sign", Sign}));
  routes.Post("/keys" + name + pinned + "/wrapkey", handler({"keys/wrap", Wrap}));
  routes.Post("/keys" + name + pinned + "/unwrapkey", handler({"keys/unwrap", Unwrap}));
  routes.Get("/certificates" + name + "/pending",
             handler({"certificates/get", GetPendingCertificate}));
  routes.Get("/certificates" + name + version, handler({"certificates/get", GetCertificate}));
  routes.Patch("/certificates" + name + version,
               handler({"certificates/update", UpdateCertificate}));
  routes.Post("/certificates" + name + "/import",
              handler({"certificates/import", ImportCertificate}));
  routes.Post("/certificates" + name + "/create",
              handler({"certificates/create", CreateCertificate, 202}));
}

}  // namespace devtenant
