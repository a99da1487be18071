#include "test/devtenant/identity_control.h"

#include <stdexcept>

#include "test/devtenant/proof_token.h"

namespace devtenant {
namespace {

using httplib::Request;
using httplib::Response;
using nlohmann::json;
using Serve = json (*)(Tenant&, const json& body);

json UserToken(Tenant& tenant, const json& body) {
  RequireKnown(body, {"user", "audience", "claims"});
  const User* user = tenant.directory.FindUser(body.at("user"));
  if (user == nullptr) throw std::runtime_error("unknown user");
  return {{"token", MintUserToken(tenant, *user, body.at("audience"),
                                  body.value("claims", json::object()))}};
}

json PlatformToken(Tenant& tenant, const json& body) {
  RequireKnown(body, {"subject", "claims"});
  return {{"token",
           MintPlatformToken(tenant, body.at("subject"), body.value("claims", json::object()))},
          {"issuer", PlatformIssuer(tenant)}};
}

auto Handler(Tenant& tenant, Serve serve) {
  return [&tenant, serve](const Request& request, Response& response) {
    json answer;
    try {
      const json body = json::parse(request.body);
      const std::lock_guard lock(tenant.mutex);
      answer = serve(tenant, body);
    } catch (const std::exception& error) {
      response.status = 400;
      answer = {{"error", error.what()}};
    }
    response.set_content(answer.dump() + "\n", "application/json");
  };
}

}  // namespace

void AddIdentityControl(Routes& routes, Tenant& tenant) {
  routes.Post("/user-tokens", Handler(tenant, UserToken));
  routes.Post("/platform-tokens", Handler(tenant, PlatformToken));
}

}  // namespace devtenant
