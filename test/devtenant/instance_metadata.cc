#include "test/devtenant/instance_metadata.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <set>

#include "test/devtenant/access_token.h"
#include "test/devtenant/encoding.h"
#include "test/devtenant/misbehave.h"
#include "test/devtenant/proof_token.h"
#include "test/devtenant/requested_scopes.h"

namespace devtenant {
namespace {

using httplib::Request;
using httplib::Response;

constexpr size_t kArcKeyBytes = 32;

struct Refused {
  int status;
  const char* error;
  const char* description;
};

// How one kind of endpoint is asked.
struct Protocol {
  const char* version;
  std::set<std::string> selectors;
  void (*admit)(Tenant&, const Request&, Response&);  // throws Refused
  bool app_service = false;                           // says other things than the others
};

nlohmann::json ErrorBody(const Protocol& protocol, const Refused& refused) {
  if (!protocol.app_service) {
    return {{"error", refused.error}, {"error_description", refused.description}};
  }
  return {{"statusCode", refused.status},
          {"message", refused.description},
          {"correlationId", NewGuid()}};
}

void RequireMetadata(const Request& request) {
  if (request.get_header_value("Metadata") != "true" || request.has_header("X-Forwarded-For")) {
    throw Refused{400, "bad_request_102", "Required metadata header not specified"};
  }
}

void AdmitImds(Tenant&, const Request& request, Response&) { RequireMetadata(request); }

void AdmitAppService(Tenant& tenant, const Request& request, Response&) {
  if (request.get_header_value("X-IDENTITY-HEADER") != tenant.identity_header) {
    throw Refused{401, "unauthorized", "The identity header is missing or wrong"};
  }
}

// Whoever can read the key file may ask; each key serves once.
void AdmitArc(Tenant& tenant, const Request& request, Response& response) {
  RequireMetadata(request);
  const std::string header = request.get_header_value("Authorization");
  if (header.starts_with("Basic ") && tenant.arc_keys.erase(header.substr(6)) == 1) return;
  const std::string key = ToBase64Url(RandomBytes(kArcKeyBytes));
  const auto path = std::filesystem::path(tenant.arc_key_folder) / (NewGuid() + ".key");
  std::ofstream(path) << key;
  std::filesystem::permissions(path, std::filesystem::perms::owner_read);
  tenant.arc_keys.insert(key);
  tenant.recorder.Secret("arc_key", "issued", "imds", key);
  response.set_header("WWW-Authenticate", "Basic realm=" + path.string());
  throw Refused{401, "unauthorized", "Read the key"};
}

// In this tenant the object id of an application is its client id.
Registration& IdentityOf(Tenant& tenant, const Request& request, const Protocol& protocol) {
  std::string wanted;
  for (const auto& [name, value] : request.params) {
    if (name == "api-version" || name == "resource") continue;
    if (!protocol.selectors.contains(name) || !wanted.empty()) {
      throw Refused{400, "invalid_request", "An unknown parameter"};
    }
    wanted = value;
  }
  for (auto& [id, registration] : tenant.directory.registrations) {
    const bool named = wanted.empty() ? registration.managed_identity == "system"
                                      : registration.managed_identity == "user" && id == wanted;
    if (named) return registration;
  }
  throw Refused{400, "invalid_request", "Identity not found"};
}

nlohmann::json TokenFor(Tenant& tenant, Registration& identity, const std::string& resource,
                        const Fault& fault) {
  if (resource == kExchange) return MintExchangeToken(tenant, identity, identity.client_id);
  const RequestedScopes requested = ParseScopes(tenant, resource + "/.default");
  const auto roles = identity.application.find(requested.resource);
  std::set<std::string> permissions;
  if (roles != identity.application.end()) permissions = roles->second;
  permissions.insert(fault.extra_scopes.begin(), fault.extra_scopes.end());
  return MintAccessToken(tenant,
                         {.client = {.registration = &identity, .appidacr = "2"},
                          .user = nullptr,
                          .audience = resource,
                          .permissions = permissions,
                          .claims = {}},
                         fault);
}

nlohmann::json Answer(Tenant& tenant, const Request& request, Response& response,
                      const Protocol& protocol, const Fault& fault) {
  if (fault.status != 0) throw Refused{fault.status, "fault", "Try again"};
  protocol.admit(tenant, request, response);
  const std::string resource = request.get_param_value("resource");
  if (request.get_param_value("api-version") != protocol.version || resource.empty()) {
    throw Refused{400, "invalid_request", "api-version or resource"};
  }
  Registration& identity = IdentityOf(tenant, request, protocol);
  const nlohmann::json minted = TokenFor(tenant, identity, resource, fault);
  const auto life = minted.at("expires_in").get<int64_t>();
  // Numbers in strings, as these endpoints have them.
  nlohmann::json answer = {{"access_token", minted.at("access_token")},
                           {"client_id", identity.client_id},
                           {"expires_on", std::to_string(tenant.Now() + life)},
                           {"not_before", std::to_string(tenant.Now())},
                           {"resource", resource},
                           {"token_type", "Bearer"}};
  if (!protocol.app_service) answer["expires_in"] = std::to_string(life);
  return answer;
}

void Handle(Tenant& tenant, const Protocol& protocol, const Request& request, Response& response) {
  Fault fault;
  {
    const std::lock_guard lock(tenant.mutex);
    fault = tenant.faults.TakeForRequest("imds", "");
  }
  if (!MisbehaveBefore(fault)) return;
  const std::lock_guard lock(tenant.mutex);
  nlohmann::json body;
  response.status = 200;
  try {
    body = Answer(tenant, request, response, protocol, fault);
  } catch (const Refused& refused) {
    response.status = refused.status;
    body = ErrorBody(protocol, refused);
  }
  response.set_content(body.dump(), "application/json; charset=utf-8");
  MisbehaveAfter(fault, response);
  tenant.recorder.Request("imds", response.status);
}

}  // namespace

void AddInstanceMetadataRoutes(Routes& routes, Tenant& tenant) {
  const auto add = [&](const char* path, const Protocol& protocol) {
    routes.Get(path, [&tenant, protocol](const Request& request, Response& response) {
      Handle(tenant, protocol, request, response);
    });
  };
  add("/metadata/identity/oauth2/token", {.version = "2018-02-01",
                                          .selectors = {"client_id", "object_id", "msi_res_id"},
                                          .admit = AdmitImds});
  add("/msi/token", {.version = "2019-08-01",
                     .selectors = {"client_id", "object_id", "mi_res_id"},
                     .admit = AdmitAppService,
                     .app_service = true});
  add("/arc/metadata/identity/oauth2/token",
      {.version = "2020-06-01", .selectors = {}, .admit = AdmitArc});
}

}  // namespace devtenant
