#include "broker/graph/principal.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "broker/graph/graph_answer.h"

namespace broker::graph {
namespace {

using nlohmann::json;

constexpr size_t kMaxId = 128;        // a grant's has 43 characters of base64url
constexpr size_t kMaxGrants = 10000;  // Graph sends pages of far fewer

HttpRequest Ask(const char* method, std::string url) {
  HttpRequest request;
  request.method = method;
  request.url = std::move(url);
  request.headers.emplace_back("Accept", "application/json");
  return request;
}

HttpRequest Send(const char* method, std::string url, const json& body) {
  HttpRequest request = Ask(method, std::move(url));
  request.content_type = "application/json";
  request.body = Secret::CopyOf(body.dump());
  return request;
}

// Of what is put into a path again.
bool IsId(std::string_view text) {
  return !text.empty() && text.size() <= kMaxId && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_';
  });
}

}  // namespace

HttpRequest DisablePrincipal(const std::string& graph, const std::string& app_id) {
  return Send("PATCH", graph + "/v1.0/servicePrincipals(appId='" + app_id + "')",
              {{"accountEnabled", false}});
}

HttpRequest DisableAgent(const std::string& graph, const std::string& agent_id) {
  return Send("PATCH",
              graph + "/v1.0/servicePrincipals/" + agent_id + "/microsoft.graph.agentIdentity",
              {{"accountEnabled", false}});
}

HttpRequest RevokeSessions(const std::string& graph, const std::string& user) {
  return Send("POST", graph + "/v1.0/users/" + user + "/revokeSignInSessions", json::object());
}

HttpRequest ReadPrincipal(const std::string& graph, const std::string& app_id) {
  return Ask("GET", graph + "/v1.0/servicePrincipals(appId='" + app_id + "')?$select=id");
}

HttpRequest ListGrants(const std::string& graph, const std::string& principal_id) {
  return Ask("GET",
             graph + "/v1.0/oauth2PermissionGrants?$filter=clientId%20eq%20'" + principal_id + "'");
}

HttpRequest DeleteGrant(const std::string& graph, const std::string& grant_id) {
  return Ask("DELETE", graph + "/v1.0/oauth2PermissionGrants/" + grant_id);
}

Result<std::string> ReadPrincipalAnswer(const Secret& body) {
  const auto object = ParseObject(body);
  if (!object) return std::unexpected(object.error());
  std::string id = TextOf(*object, "id");
  if (!IsId(id)) return Bad("id");
  return id;
}

Result<GrantPage> ReadGrants(const Secret& body) {
  const auto object = ParseObject(body);
  if (!object) return std::unexpected(object.error());
  const auto list = object->find("value");
  if (list == object->end() || !list->is_array() || list->size() > kMaxGrants) return Bad("value");
  GrantPage page{.grants = {}, .more = object->contains("@odata.nextLink")};
  for (const json& one : *list) {
    if (!one.is_object() || !IsId(TextOf(one, "id"))) return Bad("id");
    page.grants.push_back({TextOf(one, "id"), TextOf(one, "principalId")});
  }
  return page;
}

}  // namespace broker::graph
