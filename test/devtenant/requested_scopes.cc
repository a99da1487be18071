#include "test/devtenant/requested_scopes.h"

#include <array>

#include "test/devtenant/encoding.h"
#include "test/devtenant/entra_error.h"

namespace devtenant {
namespace {

constexpr char kPublicGraph[] = "https://graph.microsoft.com";
constexpr char kGraphAppId[] = "00000003-0000-0000-c000-000000000000";

bool IsGraph(const Tenant& tenant, const std::string& resource) {
  return resource.empty() || resource == tenant.graph || resource == kPublicGraph ||
         resource == kGraphAppId;
}

}  // namespace

RequestedScopes ParseScopes(const Tenant& tenant, const std::string& scope) {
  RequestedScopes parsed;
  std::set<std::string> resources;
  for (const std::string& word : Words(scope)) {
    if (word == "openid") parsed.openid = true;
    if (word == "offline_access") parsed.offline_access = true;
    if (word == "openid" || word == "profile" || word == "email" || word == "offline_access") {
      continue;
    }
    const size_t slash = word.rfind('/');
    const std::string resource = slash == std::string::npos ? "" : word.substr(0, slash);
    parsed.names.insert(slash == std::string::npos ? word : word.substr(slash + 1));
    parsed.prefix = slash == std::string::npos ? "" : resource + "/";
    parsed.resource = IsGraph(tenant, resource) ? kGraph : resource;
    parsed.audience = resource.empty() ? tenant.graph : resource;
    resources.insert(parsed.resource);
  }
  if (parsed.names.empty() && parsed.openid) {  // who the user is, and Graph's userinfo with it
    parsed.resource = kGraph;
    parsed.audience = tenant.graph;
    return parsed;
  }
  if (parsed.names.empty() || parsed.names.contains("")) throw EntraError{.code = 70011};
  if (resources.size() > 1) throw EntraError{.code = 700022};
  return parsed;
}

}  // namespace devtenant
