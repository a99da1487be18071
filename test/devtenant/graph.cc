#include "test/devtenant/graph.h"

#include "test/devtenant/encoding.h"
#include "test/devtenant/jwt.h"
#include "test/devtenant/misbehave.h"

namespace devtenant {
namespace {

using httplib::Request;
using httplib::Response;
using nlohmann::json;

struct GraphError {
  int status;
  std::string code;
  std::string message;
};

struct Operation {
  std::set<std::string> delegated;    // any of these scopes
  std::set<std::string> application;  // or any of these roles; empty: delegated only
  json (*serve)(Tenant&, const Request&, const User* caller);
  int status = 200;
};

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

bool HoldsAny(const std::set<std::string>& wanted, const std::set<std::string>& held) {
  return std::ranges::any_of(wanted,
                             [&](const std::string& scope) { return held.contains(scope); });
}

// The signed-in user, or null for an app; throws when the token may not do this.
const User* Authorize(Tenant& tenant, const json& claims, const Operation& operation) {
  if (claims.value("idtyp", "") == "app") {
    if (operation.application.empty()) {
      throw GraphError{400, "BadRequest",
                       "/me request is only valid with delegated authentication flow."};
    }
    if (!HoldsAny(operation.application, claims.value("roles", std::set<std::string>{}))) {
      throw GraphError{403, "Authorization_RequestDenied", "Insufficient privileges."};
    }
    return nullptr;
  }
  if (!HoldsAny(operation.delegated, Words(claims.value("scp", "")))) {
    throw GraphError{403, "ErrorAccessDenied",
                     "Access is denied. Check credentials and try again."};
  }
  const User* user = tenant.directory.FindUser(claims.value("oid", ""));
  if (user == nullptr) throw GraphError{404, "ResourceNotFound", "User not found."};
  return user;
}

json UserObject(const User& user) {
  return {{"id", user.oid},
          {"userPrincipalName", user.upn},
          {"displayName", user.name},
          {"accountEnabled", user.enabled}};
}

json ServeMe(Tenant&, const Request&, const User* caller) { return UserObject(*caller); }

json ServeMessages(Tenant& tenant, const Request&, const User* caller) {
  return {
      {"@odata.context", tenant.graph + "/v1.0/$metadata#users('" + caller->oid + "')/messages"},
      {"value", caller->messages}};
}

json ServeSendMail(Tenant& tenant, const Request& request, const User* caller) {
  const json mail = json::parse(request.body, nullptr, false);
  if (!mail.is_object() || !mail.contains("message")) {
    throw GraphError{400, "BadRequest", "A message is expected."};
  }
  tenant.recorder.SentMail({{"from", caller->upn}, {"mail", mail}});
  return nullptr;
}

json ServeUsers(Tenant& tenant, const Request&, const User*) {
  auto users = json::array();
  for (const auto& [oid, user] : tenant.directory.users) users.push_back(UserObject(user));
  return {{"value", users}};
}

json ServeUser(Tenant& tenant, const Request& request, const User*) {
  const User* user = tenant.directory.FindUser(request.matches[1]);
  if (user == nullptr) throw GraphError{404, "Request_ResourceNotFound", "No such user."};
  return UserObject(*user);
}

void Handle(Tenant& tenant, const Operation& operation, const Request& request,
            Response& response) {
  Fault fault;
  {
    const std::lock_guard lock(tenant.mutex);
    fault = tenant.faults.TakeForRequest("graph", "");
  }
  if (!MisbehaveBefore(fault)) return;
  const std::lock_guard lock(tenant.mutex);
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
  MisbehaveAfter(fault, response);
  tenant.recorder.Request("graph", response.status);
}

}  // namespace

void AddGraphRoutes(Routes& routes, Tenant& tenant) {
  const std::set<std::string> read_users = {"User.Read.All", "User.ReadWrite.All",
                                            "Directory.Read.All", "Directory.ReadWrite.All"};
  const auto handler = [&tenant](const Operation& operation) {
    return [&tenant, operation](const Request& request, Response& response) {
      Handle(tenant, operation, request, response);
    };
  };
  routes.Get("/v1.0/me", handler({{"User.Read", "User.ReadWrite", "User.Read.All"}, {}, ServeMe}));
  routes.Get("/v1.0/me/messages",
             handler({{"Mail.Read", "Mail.ReadBasic", "Mail.ReadWrite"}, {}, ServeMessages}));
  routes.Post("/v1.0/me/sendMail", handler({{"Mail.Send"}, {}, ServeSendMail, 202}));
  routes.Get("/v1.0/users", handler({read_users, read_users, ServeUsers}));
  routes.Get("/v1.0/users/([^/]+)", handler({read_users, read_users, ServeUser}));
}

}  // namespace devtenant
