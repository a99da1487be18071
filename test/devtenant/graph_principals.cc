#include "test/devtenant/graph_principals.h"

#include <regex>

#include "test/devtenant/encoding.h"

namespace devtenant {
namespace {

using httplib::Request;
using nlohmann::json;

constexpr int kSessionRevoked = 50173;
constexpr char kGraphPrincipal[] = "00000003-0000-0000-c000-000000000000";
const std::set<std::string> kReaders = {"Application.Read.All", "Application.ReadWrite.All",
                                        "Directory.Read.All", "Directory.ReadWrite.All"};
const std::set<std::string> kWriters = {"Application.ReadWrite.All", "Directory.ReadWrite.All"};
const std::set<std::string> kAgentWriters = {"AgentIdentity.EnableDisable.All",
                                             "AgentIdentity.ReadWrite.All"};
const std::set<std::string> kGrantReaders = {"DelegatedPermissionGrant.Read.All",
                                             "DelegatedPermissionGrant.ReadWrite.All",
                                             "Directory.Read.All", "Directory.ReadWrite.All"};
const std::set<std::string> kGrantWriters = {"DelegatedPermissionGrant.ReadWrite.All",
                                             "Directory.ReadWrite.All"};
const std::set<std::string> kSessionEnders = {"User.RevokeSessions.All", "User.ReadWrite.All",
                                              "Directory.ReadWrite.All"};
// Matches: the object id, the application id, the cast.
const std::string kOne =
    R"(/v1\.0/servicePrincipals(?:/([^/()]+)|\(appId='([^/']+)'\))(/microsoft\.graph\.agentIdentity)?)";

Registration& Target(Tenant& tenant, const Request& request) {
  const std::string id = request.matches[1].matched ? request.matches[1] : request.matches[2];
  Registration* registration = tenant.directory.FindRegistration(id);
  const bool cast = request.matches[3].matched;
  if (registration == nullptr || (cast && registration->blueprint.empty())) {
    throw ResourceNotFound("service principal");
  }
  return *registration;
}

json PrincipalObject(const Registration& registration) {
  json object = {{"id", registration.client_id},
                 {"appId", registration.client_id},
                 {"displayName", registration.name},
                 {"accountEnabled", registration.enabled},
                 {"servicePrincipalType",
                  registration.managed_identity.empty() ? "Application" : "ManagedIdentity"}};
  if (!registration.blueprint.empty()) {
    object["@odata.type"] = "#microsoft.graph.agentIdentity";
    object["agentIdentityBlueprintId"] = registration.blueprint;
  }
  return object;
}

json ServePrincipal(Tenant& tenant, const Request& request, const GraphCaller&) {
  return PrincipalObject(Target(tenant, request));
}

bool MayChange(const Request& request, const GraphCaller& caller, const Registration& principal) {
  const bool app_only = caller.user == nullptr;
  if (!principal.blueprint.empty()) {
    const bool manages = app_only && caller.HoldsAny({"AgentIdentity.CreateAsManager"}) &&
                         caller.client_id == principal.blueprint;
    return request.matches[3].matched && (manages || caller.HoldsAny(kAgentWriters));
  }
  return caller.HoldsAny(kWriters) ||
         (app_only && caller.HoldsAny({"Application.ReadWrite.OwnedBy"}) &&
          principal.owners.contains(caller.client_id));
}

json ServeChange(Tenant& tenant, const Request& request, const GraphCaller& caller) {
  Registration& principal = Target(tenant, request);
  if (!MayChange(request, caller, principal)) throw RequestDenied();
  const json change = GraphBody(request);
  const auto enabled = change.find("accountEnabled");
  if (enabled == change.end() || change.size() != 1 || !enabled->is_boolean()) {
    throw GraphError{400, "Request_BadRequest", "Only accountEnabled can be changed here."};
  }
  principal.enabled = enabled->get<bool>();
  return nullptr;
}

// One consent: of an administrator for everybody, or of a user.
struct Grant {
  std::string client_id, resource, principal;
  std::map<std::string, std::set<std::string>>* consents;
};

std::vector<Grant> Grants(Directory& directory) {
  std::vector<Grant> grants;
  for (auto& [client_id, registration] : directory.registrations) {
    for (const auto& [resource, scopes] : registration.delegated) {
      grants.push_back({client_id, resource, "", &registration.delegated});
    }
    for (auto& [oid, consents] : registration.delegated_users) {
      for (const auto& [resource, scopes] : consents) {
        grants.push_back({client_id, resource, oid, &consents});
      }
    }
  }
  return grants;
}

std::string IdOf(const Grant& grant) {
  return ToBase64Url(
      Sha256(grant.client_id + " " + grant.resource + " " + grant.principal).substr(0, 24));
}

json GrantObject(const Grant& grant) {
  std::string scope;
  for (const std::string& name : grant.consents->at(grant.resource)) {
    scope += (scope.empty() ? "" : " ") + name;
  }
  return {{"id", IdOf(grant)},
          {"clientId", grant.client_id},
          {"consentType", grant.principal.empty() ? "AllPrincipals" : "Principal"},
          {"principalId", grant.principal.empty() ? json() : json(grant.principal)},
          {"resourceId", grant.resource == kGraph ? kGraphPrincipal : grant.resource},
          {"scope", scope}};
}

// Of OData's filters: NAME eq 'VALUE', joined by and.
std::map<std::string, std::string> ParseFilter(const std::string& filter) {
  static const std::regex kTerm(R"((clientId|principalId|consentType) eq '([^']*)')");
  std::map<std::string, std::string> wanted;
  for (size_t begin = 0; begin < filter.size();) {
    const size_t end = std::min(filter.find(" and ", begin), filter.size());
    const std::string term = filter.substr(begin, end - begin);
    std::smatch match;
    if (!std::regex_match(term, match, kTerm)) {
      throw GraphError{400, "Request_UnsupportedQuery", "The filter is not supported."};
    }
    wanted[match[1]] = match[2];
    begin = end + 5;
  }
  return wanted;
}

json ServeGrants(Tenant& tenant, const Request& request, const GraphCaller&) {
  const auto wanted = ParseFilter(request.get_param_value("$filter"));
  auto list = json::array();
  for (const Grant& grant : Grants(tenant.directory)) {
    const json object = GrantObject(grant);
    const bool matches = std::ranges::all_of(
        wanted, [&](const auto& term) { return object.at(term.first) == term.second; });
    if (matches) list.push_back(object);
  }
  return {{"value", list}};
}

json ServeDeleteGrant(Tenant& tenant, const Request& request, const GraphCaller&) {
  for (const Grant& grant : Grants(tenant.directory)) {
    if (IdOf(grant) != request.matches[1]) continue;
    grant.consents->erase(grant.resource);
    return nullptr;
  }
  throw ResourceNotFound("grant");
}

json EndSessions(Tenant& tenant, const User& user) {
  for (auto& [value, token] : tenant.refresh_tokens) {
    if (token.oid == user.oid && token.dead == 0) token.dead = kSessionRevoked;
  }
  return {{"@odata.context", tenant.graph + "/v1.0/$metadata#Edm.Boolean"}, {"value", true}};
}

json ServeEndSessions(Tenant& tenant, const Request& request, const GraphCaller&) {
  const User* user = tenant.directory.FindUser(request.matches[1]);
  if (user == nullptr) throw ResourceNotFound("user");
  return EndSessions(tenant, *user);
}

json ServeEndOwnSessions(Tenant& tenant, const Request&, const GraphCaller& caller) {
  return EndSessions(tenant, *caller.user);
}

}  // namespace

void AddPrincipalRoutes(Routes& routes, Tenant& tenant) {
  const auto handler = [&tenant](const GraphOperation& operation) {
    return ServeGraph(tenant, operation);
  };
  routes.Get(kOne, handler({kReaders, kReaders, ServePrincipal}));
  routes.Patch(kOne, handler({{}, {}, ServeChange, 204, /*decides_itself=*/true}));
  routes.Get("/v1.0/oauth2PermissionGrants", handler({kGrantReaders, kGrantReaders, ServeGrants}));
  routes.Delete("/v1.0/oauth2PermissionGrants/([^/]+)",
                handler({kGrantWriters, kGrantWriters, ServeDeleteGrant, 204}));
  routes.Post("/v1.0/users/([^/]+)/revokeSignInSessions",
              handler({kSessionEnders, kSessionEnders, ServeEndSessions}));
  std::set<std::string> own = kSessionEnders;
  own.insert("User.ReadWrite");
  routes.Post("/v1.0/me/revokeSignInSessions", handler({own, {}, ServeEndOwnSessions}));
}

}  // namespace devtenant
