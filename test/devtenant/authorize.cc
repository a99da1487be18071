#include "test/devtenant/authorize.h"

#include <algorithm>

#include "test/devtenant/client_authentication.h"
#include "test/devtenant/encoding.h"
#include "test/devtenant/entra_error.h"
#include "test/devtenant/requested_scopes.h"

namespace devtenant {
namespace {

using httplib::Request;
using httplib::Response;

constexpr char kPath[] = R"(/([^/]+)/oauth2/v2\.0/authorize)";
constexpr char kPage[] =
    "<!doctype html><title>Sign in</title><form method=post>"
    "<label>User <input name=user></label> "
    "<button name=action value=approve>Approve</button> "
    "<button name=action value=decline>Decline</button></form>\n";
constexpr size_t kCodeBytes = 800;         // Entra's have about 1 kB in base64url
constexpr int64_t kCodeLifetimeS = 600;    // as Entra's
constexpr size_t kShortestChallenge = 43;  // RFC 7636 §4.2
constexpr size_t kLongestChallenge = 128;

std::string Given(const Form& form, const std::string& name) {
  const auto found = form.find(name);
  return found == form.end() ? "" : found->second;
}

// Entra leaves the port of loopback addresses aside, and an empty path is the root's.
std::string Comparable(std::string uri) {
  for (const std::string host : {"http://localhost", "http://127.0.0.1"}) {
    if (!uri.starts_with(host + ":")) continue;
    const size_t end = uri.find_first_not_of("0123456789", host.size() + 1);
    uri = end == std::string::npos ? host : host + uri.substr(end);
  }
  if (uri.ends_with('/')) uri.pop_back();
  return uri;
}

// What is refused here is shown to the person: nobody is sent anywhere.
const Registration& RequireClient(Tenant& tenant, const Request& request, const Form& ask) {
  if (!tenant.directory.Names(request.matches[1])) throw EntraError{.code = 90002};
  const Registration* client = tenant.directory.FindRegistration(Required(ask, "client_id"));
  if (client == nullptr) throw EntraError{.code = 700016};
  if (!client->enabled) throw EntraError{.code = 7000112};
  const std::string redirect_uri = Given(ask, "redirect_uri");
  if (redirect_uri.empty()) throw EntraError{.code = 900971};
  const bool known = std::ranges::any_of(client->redirect_uris, [&](const std::string& uri) {
    return Comparable(uri) == Comparable(redirect_uri);
  });
  if (!known) throw EntraError{.code = 50011};
  return *client;
}

// What is refused here goes back to the client.
void RequireCodeFlow(const Tenant& tenant, const Form& ask) {
  if (Given(ask, "response_type") != "code") throw EntraError{.code = 70005};
  const std::string mode = Given(ask, "response_mode");
  if (!mode.empty() && mode != "query") throw EntraError{.code = 70007};
  ParseScopes(tenant, Required(ask, "scope"));
  const bool pkce = ask.contains("code_challenge");
  if (pkce != ask.contains("code_challenge_method")) throw EntraError{.code = 50149};
  if (!pkce) return;
  if (ask.at("code_challenge_method") != "S256") throw EntraError{.code = 50149};
  const size_t size = ask.at("code_challenge").size();
  if (size < kShortestChallenge || size > kLongestChallenge) throw EntraError{.code = 501491};
}

std::string NewCode(Tenant& tenant, const Form& ask, const User& user) {
  std::string value = "1.AQ" + ToBase64Url(RandomBytes(kCodeBytes));
  tenant.authorization_codes[value] = {.client_id = ask.at("client_id"),
                                       .oid = user.oid,
                                       .redirect_uri = ask.at("redirect_uri"),
                                       .scope = ask.at("scope"),
                                       .challenge = Given(ask, "code_challenge"),
                                       .nonce = Given(ask, "nonce"),
                                       .expires_at = tenant.Now() + kCodeLifetimeS};
  tenant.recorder.Secret("authorization_code", "issued", "authorize", value);
  return value;
}

void SendBack(Response& response, const Form& ask, const Form& answer) {
  std::string url = ask.at("redirect_uri");
  char separator = '?';
  Form all = answer;
  if (ask.contains("state")) all["state"] = ask.at("state");
  all["session_state"] = NewGuid();
  for (const auto& [name, value] : all) {
    url += separator + name + "=" + ToPercentEncoded(value);
    separator = '&';
  }
  response.status = 302;
  response.set_header("Location", url);
}

void SendError(Response& response, const Form& ask, const EntraError& error) {
  const nlohmann::json body = ErrorAnswer(error, "").body;
  Form answer = {{"error", body.at("error")}, {"error_description", body.at("error_description")}};
  if (error.error == "access_denied") answer["error_subcode"] = "cancel";
  SendBack(response, ask, answer);
}

Form ReadAsk(const Request& request) {
  const size_t question = request.target.find('?');
  const auto ask =
      ParseForm(question == std::string::npos ? "" : request.target.substr(question + 1));
  if (!ask) throw EntraError{.code = 9002313};
  return *ask;
}

// `person` is what was posted, null for a first look at the page.
void Answer(Tenant& tenant, const Request& request, const Form* person, Response& response) {
  const Form ask = ReadAsk(request);
  RequireClient(tenant, request, ask);
  try {
    RequireCodeFlow(tenant, ask);
    if (person == nullptr) return response.set_content(kPage, "text/html");
    if (Required(*person, "action") != "approve") {
      throw EntraError{.code = 65004, .error = "access_denied"};
    }
    const User* user = tenant.directory.FindUser(Required(*person, "user"));
    if (user == nullptr) throw EntraError{.code = 50034};
    SendBack(response, ask, {{"code", NewCode(tenant, ask, *user)}});
  } catch (const EntraError& error) {
    SendError(response, ask, error);
  }
}

void Handle(Tenant& tenant, const Request& request, const Form* person, Response& response) {
  const std::lock_guard lock(tenant.mutex);
  response.set_header("Cache-Control", "no-store");
  try {
    Answer(tenant, request, person, response);
  } catch (const EntraError& error) {
    response.status = 400;
    response.set_content(ErrorAnswer(error, "").body.at("error_description"), "text/plain");
  }
  tenant.recorder.Request("authorize", response.status == -1 ? 200 : response.status);
}

}  // namespace

void AddAuthorizeRoutes(Routes& routes, Tenant& tenant) {
  routes.Get(kPath, [&tenant](const Request& request, Response& response) {
    Handle(tenant, request, nullptr, response);
  });
  routes.Post(kPath, [&tenant](const Request& request, Response& response) {
    const Form person = ParseForm(request.body).value_or(Form{});
    Handle(tenant, request, &person, response);
  });
}

}  // namespace devtenant
