#include "test/devtenant/login_routes.h"

#include "test/devtenant/authorize.h"
#include "test/devtenant/device_login.h"
#include "test/devtenant/encoding.h"
#include "test/devtenant/entra_error.h"
#include "test/devtenant/jwt.h"
#include "test/devtenant/misbehave.h"
#include "test/devtenant/token_endpoint.h"

namespace devtenant {
namespace {

using httplib::Request;
using httplib::Response;
using Serve = nlohmann::json (*)(Tenant&, const Form&, const Fault&);

constexpr size_t kLargestForm = size_t{256} << 10;

void Reply(Response& response, const Answer& answer) {
  response.status = answer.status;
  response.set_header("Cache-Control", "no-store, no-cache");
  response.set_content(answer.body.dump(), "application/json; charset=utf-8");
}

Answer FaultAnswer(const Fault& fault, const std::string& correlation) {
  const EntraError error{.code = fault.code,
                         .error = fault.error,
                         .suberror = fault.suberror,
                         .claims = fault.claims_challenge};
  Answer answer = ErrorAnswer(error, correlation);
  if (fault.status != 0) answer.status = fault.status;
  return answer;
}

void RequireTenant(const Tenant& tenant, const Request& request) {
  if (!tenant.directory.Names(request.matches[1])) throw EntraError{.code = 90002};
}

// Nothing that matters stands in the URL, which others log. MSAL for JavaScript puts its
// correlation id there.
bool HasCleanTarget(const Request& request) {
  const size_t query = request.target.find('?');
  return query == std::string::npos ||
         (request.target.find("client-request-id=", query) == query + 1 &&
          request.target.find('&', query) == std::string::npos);
}

Form ReadForm(const Request& request) {
  const bool is_form =
      request.get_header_value("Content-Type").starts_with("application/x-www-form-urlencoded");
  const auto form = is_form ? ParseForm(request.body) : std::nullopt;
  if (!form || !HasCleanTarget(request)) throw EntraError{.code = 9002313};
  return *form;
}

// One request of the token or devicecode endpoint, faults included.
void Handle(Tenant& tenant, const std::string& endpoint, Serve serve, const Request& request,
            Response& response) {
  const std::string correlation = request.get_header_value("client-request-id");
  Fault fault;
  Answer answer;
  try {
    const Form form = ReadForm(request);
    {
      const std::lock_guard lock(tenant.mutex);
      const auto client = form.find("client_id");
      fault = tenant.faults.TakeForRequest(endpoint, client == form.end() ? "" : client->second);
    }
    if (!MisbehaveBefore(fault)) return;
    if (fault.status != 0 || fault.code != 0) {
      answer = FaultAnswer(fault, correlation);
    } else {
      const std::lock_guard lock(tenant.mutex);
      RequireTenant(tenant, request);
      answer.body = serve(tenant, form, fault);
      answer.body.merge_patch(fault.answer);
    }
  } catch (const EntraError& error) {
    answer = ErrorAnswer(error, correlation);
  }
  Reply(response, answer);
  MisbehaveAfter(fault, response);
  const std::lock_guard lock(tenant.mutex);
  tenant.recorder.Request(endpoint, response.status);
}

nlohmann::json ServeDeviceCode(Tenant& tenant, const Form& form, const Fault&) {
  return StartDeviceLogin(tenant, form);
}

nlohmann::json ServeKeys(Tenant& tenant, const Form&, const Fault&) {
  nlohmann::json key = PublicJwk(tenant.signing.key, tenant.signing_key_id);
  key["issuer"] = tenant.authority + "/" + tenant.directory.tenant_id + "/v2.0";
  return {{"keys", {std::move(key)}}};
}

nlohmann::json ServeDiscovery(Tenant& tenant, const Form&, const Fault&) {
  const std::string base = tenant.authority + "/" + tenant.directory.tenant_id;
  return {{"issuer", base + "/v2.0"},
          {"authorization_endpoint", base + "/oauth2/v2.0/authorize"},
          {"token_endpoint", base + "/oauth2/v2.0/token"},
          {"device_authorization_endpoint", base + "/oauth2/v2.0/devicecode"},
          {"jwks_uri", base + "/discovery/v2.0/keys"},
          {"token_endpoint_auth_methods_supported", {"client_secret_post", "private_key_jwt"}},
          {"id_token_signing_alg_values_supported", {"RS256"}},
          {"response_types_supported", {"code", "id_token"}},
          {"subject_types_supported", {"pairwise"}},
          {"scopes_supported", {"openid", "profile", "email", "offline_access"}},
          {"msgraph_host", tenant.graph.substr(tenant.graph.find("//") + 2)}};
}

void HandlePage(Tenant& tenant, const Request& request, Response& response) {
  try {
    const Form form = ReadForm(request);
    const std::lock_guard lock(tenant.mutex);
    response.set_content(DecideDeviceLogin(tenant, Required(form, "user_code"),
                                           Required(form, "user"), Required(form, "action")),
                         "text/plain");
  } catch (const std::exception& error) {
    response.status = 400;
    response.set_content(error.what(), "text/plain");
  } catch (const EntraError&) {
    response.status = 400;
    response.set_content("user_code, user and action are needed", "text/plain");
  }
}

}  // namespace

void AddLoginRoutes(Routes& routes, Tenant& tenant) {
  const auto post = [&](const char* path, const char* endpoint, Serve serve) {
    // With a reader: by itself the library takes forms of 8 KiB at most, and users' tokens are
    // long.
    routes.Post(path, [&tenant, endpoint, serve](const Request& request, Response& response,
                                                 const httplib::ContentReader& read) {
      Request whole = request;
      const bool arrived = read([&whole](const char* bytes, size_t count) {
        whole.body.append(bytes, count);
        return whole.body.size() <= kLargestForm;
      });
      if (arrived) Handle(tenant, endpoint, serve, whole, response);
    });
  };
  const auto get = [&](const char* path, const char* endpoint, Serve serve) {
    routes.Get(path, [&tenant, endpoint, serve](const Request& request, Response& response) {
      const std::lock_guard lock(tenant.mutex);
      const Fault fault = tenant.faults.TakeForRequest(endpoint, "");
      try {
        RequireTenant(tenant, request);
        Reply(response, fault.status != 0 ? FaultAnswer(fault, "")
                                          : Answer{.status = 200, .body = serve(tenant, {}, {})});
      } catch (const EntraError& error) {
        Reply(response, ErrorAnswer(error, ""));
      }
      tenant.recorder.Request(endpoint, response.status);
    });
  };
  post(R"(/([^/]+)/oauth2/v2\.0/token)", "token", GrantToken);
  post(R"(/([^/]+)/oauth2/v2\.0/devicecode)", "devicecode", ServeDeviceCode);
  get(R"(/([^/]+)/discovery/v2\.0/keys)", "keys", ServeKeys);
  get(R"(/([^/]+)/v2\.0/\.well-known/openid-configuration)", "discovery", ServeDiscovery);
  AddAuthorizeRoutes(routes, tenant);
  routes.Get("/devicelogin", [](const Request&, Response& response) {
    response.set_content(DeviceLoginPage(), "text/html");
  });
  routes.Post("/devicelogin", [&tenant](const Request& request, Response& response) {
    HandlePage(tenant, request, response);
  });
}

}  // namespace devtenant
