#include "test/devtenant/graph_operation.h"

#include <algorithm>

#include "test/devtenant/encoding.h"
#include "test/devtenant/jwt.h"
#include "test/devtenant/misbehave.h"

namespace devtenant {
namespace {

using httplib::Request;
using httplib::Response;
using nlohmann::json;

json ErrorBody(const GraphError& error, const Request& request) {
  const std::string id = NewGuid();
  return {{"error",
           {{"code", error.code},
            {"message", error.message},
            {"innerError",
             {{"request-id", id},
              {"client-request-id", request.has_header("client-request-id")
                                        ? request.get_header_value("client-request-id")
                                        : id}}}}}};
}

json VerifiedClaims(Tenant& tenant, const Request& request) {
  const std::string header = request.get_header_value("Authorization");
  if (!header.starts_with("Bearer ")) {
    throw GraphError{401, "InvalidAuthenticationToken", "Access token is empty."};
  }
  const std::string token = header.substr(7);
  tenant.recorder.Secret("access_token", "seen", "graph", token);
  const auto jwt = ParseJwt(token);
  if (!jwt || jwt->header.value("alg", "") != "RS256" ||
      !VerifyJwt(*jwt, tenant.signing.key.get())) {
    throw GraphError{401, "InvalidAuthenticationToken", "IDX14100: the token is not valid."};
  }
  const json& claims = jwt->claims;
  if (claims.value("aud", "") != tenant.graph ||
      claims.value("tid", "") != tenant.directory.tenant_id) {
    throw GraphError{401, "InvalidAuthenticationToken", "Invalid audience."};
  }
  const int64_t now = tenant.Now();
  if (claims.value("exp", int64_t{0}) <= now || claims.value("nbf", INT64_MAX) > now) {
    throw GraphError{401, "InvalidAuthenticationToken", "Lifetime validation failed."};
  }
  return claims;
}

// The token's holder; throws when the token may not do this.
GraphCaller Authorize(Tenant& tenant, const json& claims, const GraphOperation& operation) {
  GraphCaller caller{.client_id = claims.value("appid", "")};
  if (claims.value("idtyp", "") == "app") {
    caller.permissions = claims.value("roles", std::set<std::string>{});
    if (operation.decides_itself) return caller;
    if (operation.application.empty()) {
      throw GraphError{400, "BadRequest",
                       "/me request is only valid with delegated authentication flow."};
    }
    if (!caller.HoldsAny(operation.application)) throw RequestDenied();
    return caller;
  }
  caller.permissions = Words(claims.value("scp", ""));
  if (!operation.decides_itself && !caller.HoldsAny(operation.delegated)) {
    throw GraphError{403, "ErrorAccessDenied",
                     "Access is denied. Check credentials and try again."};
  }
  caller.user = tenant.directory.FindUser(claims.value("oid", ""));
  if (caller.user == nullptr) throw ResourceNotFound("user");
  return caller;
}

void Handle(Tenant& tenant, const GraphOperation& operation, const Request& request,
            Response& response) {
  Fault fault;
  {
    const std::lock_guard lock(tenant.mutex);
    fault = tenant.faults.TakeForRequest("graph", "", request.method, request.path);
  }
  if (!MisbehaveBefore(fault)) return;
  std::unique_lock lock(tenant.mutex);
  json body;
  try {
    if (fault.status != 0) throw GraphError{fault.status, "ServiceNotAvailable", "Try again."};
    body = operation.serve(tenant, request,
                           Authorize(tenant, VerifiedClaims(tenant, request), operation));
    response.status = operation.status;
  } catch (const GraphError& error) {
    response.status = error.status;
    body = ErrorBody(error, request);
    if (error.status == 401) {
      response.set_header("WWW-Authenticate", "Bearer realm=\"\", authorization_uri=\"" +
                                                  tenant.authority +
                                                  "/common/oauth2/authorize\", "
                                                  "error=\"invalid_token\"");
    }
  }
  if (!body.is_null()) response.set_content(body.dump(), "application/json; charset=utf-8");
  response.set_header("request-id", NewGuid());
  tenant.recorder.Request("graph", response.status);
  lock.unlock();
  MisbehaveAfter(fault, response);
}

}  // namespace

bool GraphCaller::HoldsAny(const std::set<std::string>& wanted) const {
  return std::ranges::any_of(
      wanted, [&](const std::string& permission) { return permissions.contains(permission); });
}

httplib::Server::Handler ServeGraph(Tenant& tenant, const GraphOperation& operation) {
  return [&tenant, operation](const Request& request, Response& response) {
    Handle(tenant, operation, request, response);
  };
}

json GraphBody(const Request& request) {
  json body = json::parse(request.body, nullptr, false);
  if (!body.is_object()) throw GraphError{400, "BadRequest", "A JSON object is expected."};
  return body;
}

GraphError RequestDenied() {
  return {403, "Authorization_RequestDenied", "Insufficient privileges."};
}

GraphError ResourceNotFound(const std::string& what) {
  return {404, "Request_ResourceNotFound", "There is no such " + what + "."};
}

}  // namespace devtenant
