#include "test/devtenant/control.h"

#include <stdexcept>

#include "test/devtenant/device_login.h"
#include "test/devtenant/misbehave.h"

namespace devtenant {
namespace {

using httplib::Request;
using httplib::Response;
using nlohmann::json;
using Serve = json (*)(Tenant&, const Request&, const json& body);

constexpr int kLongestWaitSeconds = 600;
const json kDone = {{"done", true}};

json AddFault(Tenant& tenant, const Request&, const json& body) {
  tenant.faults.Add(ParseFault(body));
  return kDone;
}

json ClearFaults(Tenant& tenant, const Request&, const json&) {
  tenant.faults.Clear();
  return kDone;
}

json ChangeSettings(Tenant& tenant, const Request&, const json& body) {
  RequireKnown(body, {"clock_shift_s", "access_token_lifetime_s", "refresh_in_s",
                      "device_code_lifetime_s", "device_code_interval_s", "rotate_strictly",
                      "propagation_requests", "propagation_ms"});
  Settings& now = tenant.settings;
  now.clock_shift_s = body.value("clock_shift_s", now.clock_shift_s);
  now.access_token_lifetime_s = body.value("access_token_lifetime_s", now.access_token_lifetime_s);
  now.refresh_in_s = body.value("refresh_in_s", now.refresh_in_s);
  now.device_code_lifetime_s = body.value("device_code_lifetime_s", now.device_code_lifetime_s);
  now.device_code_interval_s = body.value("device_code_interval_s", now.device_code_interval_s);
  now.propagation_requests = body.value("propagation_requests", now.propagation_requests);
  now.propagation_ms = body.value("propagation_ms", now.propagation_ms);
  now.rotate_strictly = body.value("rotate_strictly", now.rotate_strictly);
  return kDone;
}

json ChangeUser(Tenant& tenant, const Request& request, const json& body) {
  User* user = tenant.directory.FindUser(request.matches[1]);
  if (user == nullptr) throw std::runtime_error("unknown user");
  PatchUser(*user, body);
  return kDone;
}

// A registration that is not there yet is created.
json ChangeRegistration(Tenant& tenant, const Request& request, const json& body) {
  const std::string id = request.matches[1];
  Registration& registration =
      tenant.directory.registrations.try_emplace(id, NewRegistration(id)).first->second;
  PatchRegistration(registration, body);
  return kDone;
}

json ShowRegistration(Tenant& tenant, const Request& request, const json&) {
  const Registration* registration = tenant.directory.FindRegistration(request.matches[1]);
  if (registration == nullptr) throw std::runtime_error("unknown registration");
  json shown = {{"client_id", registration->client_id},
                {"object_id", registration->object_id},
                {"enabled", registration->enabled},
                {"passwords", json::array()},
                {"keys", json::array()}};
  for (const auto& one : registration->passwords) {
    shown["passwords"].push_back(PasswordObject(one));
  }
  for (const auto& one : registration->certificates) shown["keys"].push_back(KeyObject(one));
  return shown;
}

json RevokeGrants(Tenant& tenant, const Request&, const json& body) {
  RequireKnown(body, {"user", "client_id", "code"});
  const User* user = body.contains("user") ? tenant.directory.FindUser(body.at("user")) : nullptr;
  if (body.contains("user") && user == nullptr) throw std::runtime_error("unknown user");
  const std::string client_id = body.value("client_id", "");
  int revoked = 0;
  for (auto& [value, token] : tenant.refresh_tokens) {
    if (user != nullptr && token.oid != user->oid) continue;
    if (!client_id.empty() && token.client_id != client_id) continue;
    token.dead = body.value("code", 50173);
    ++revoked;
  }
  return {{"revoked", revoked}};
}

json ListGrants(Tenant& tenant, const Request&, const json&) {
  auto list = json::array();
  for (const auto& [value, token] : tenant.refresh_tokens) {
    list.push_back({{"refresh_token", value},
                    {"client_id", token.client_id},
                    {"oid", token.oid},
                    {"family", token.family},
                    {"used", token.used},
                    {"dead", token.dead}});
  }
  return list;
}

json Decide(Tenant& tenant, const Request&, const json& body) {
  RequireKnown(body, {"user_code", "user", "action"});
  return {{"page", DecideDeviceLogin(tenant, body.at("user_code"), body.at("user"),
                                     body.value("action", "approve"))}};
}

json Secrets(Tenant& tenant, const Request&, const json&) { return tenant.recorder.Secrets(); }
json Counters(Tenant& tenant, const Request&, const json&) { return tenant.recorder.Counters(); }
json SentMail(Tenant& tenant, const Request&, const json&) { return tenant.recorder.sent_mail(); }

json ResetCounters(Tenant& tenant, const Request&, const json&) {
  tenant.recorder.ResetCounters();
  return kDone;
}

json PendingLogins(const Tenant& tenant) {
  auto list = json::array();
  for (const auto& [value, code] : tenant.device_codes) {
    if (code.state != DeviceCode::State::kPending) continue;
    list.push_back(
        {{"user_code", code.user_code}, {"client_id", code.client_id}, {"scope", code.scope}});
  }
  return list;
}

// ?wait=SECONDS holds the answer until a login is pending.
void HandlePendingLogins(Tenant& tenant, const Request& request, Response& response) {
  std::unique_lock lock(tenant.mutex);
  if (request.has_param("wait")) {
    const int wait = std::min(std::stoi(request.get_param_value("wait")), kLongestWaitSeconds);
    tenant.device_codes_changed.wait_for(lock, std::chrono::seconds(wait),
                                         [&] { return !PendingLogins(tenant).empty(); });
  }
  response.set_content(PendingLogins(tenant).dump(), "application/json");
}

// ?wait=SECONDS holds the answer until a request is held.
void HandleHeld(const Request& request, Response& response) {
  const int wait = request.has_param("wait") ? std::stoi(request.get_param_value("wait")) : 0;
  const int held = WaitForHeld(std::chrono::seconds(std::min(wait, kLongestWaitSeconds)));
  response.set_content(json{{"held", held}}.dump() + "\n", "application/json");
}

json Release(Tenant&, const Request&, const json&) {
  ReleaseHeld();
  return kDone;
}

auto Handler(Tenant& tenant, Serve serve) {
  return [&tenant, serve](const Request& request, Response& response) {
    try {
      const json body = request.body.empty() ? json::object() : json::parse(request.body);
      const std::lock_guard lock(tenant.mutex);
      response.set_content(serve(tenant, request, body).dump() + "\n", "application/json");
    } catch (const std::exception& error) {
      response.status = 400;
      response.set_content(json{{"error", error.what()}}.dump() + "\n", "application/json");
    }
  };
}

}  // namespace

void AddControlRoutes(Routes& routes, Tenant& tenant) {
  routes.Post("/faults", Handler(tenant, AddFault));
  routes.Delete("/faults", Handler(tenant, ClearFaults));
  routes.Get("/holds", HandleHeld);
  routes.Delete("/holds", Handler(tenant, Release));
  routes.Post("/settings", Handler(tenant, ChangeSettings));
  routes.Post("/users/([^/]+)", Handler(tenant, ChangeUser));
  routes.Post("/registrations/([^/]+)", Handler(tenant, ChangeRegistration));
  routes.Get("/registrations/([^/]+)", Handler(tenant, ShowRegistration));
  routes.Get("/grants", Handler(tenant, ListGrants));
  routes.Post("/grants/revoke", Handler(tenant, RevokeGrants));
  routes.Get("/logins", [&tenant](const Request& request, Response& response) {
    HandlePendingLogins(tenant, request, response);
  });
  routes.Post("/logins", Handler(tenant, Decide));
  routes.Get("/secrets", Handler(tenant, Secrets));
  routes.Get("/counters", Handler(tenant, Counters));
  routes.Delete("/counters", Handler(tenant, ResetCounters));
  routes.Get("/mail", Handler(tenant, SentMail));
}

}  // namespace devtenant
