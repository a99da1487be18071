#include "test/devtenant/graph_applications.h"

#include <regex>

#include "test/devtenant/app_credentials.h"

namespace devtenant {
namespace {

using httplib::Request;
using nlohmann::json;

constexpr char kOwnedBy[] = "Application.ReadWrite.OwnedBy";
const std::set<std::string> kWriters = {"Application.ReadWrite.All", "Directory.ReadWrite.All"};
const std::set<std::string> kReaders = {"Application.Read.All", "Application.ReadWrite.All",
                                        "Directory.Read.All", "Directory.ReadWrite.All"};
const std::set<std::string> kBlueprintWriters = {"AgentIdentityBlueprint.AddRemoveCreds.All",
                                                 "AgentIdentityBlueprint.ReadWrite.All"};
const std::set<std::string> kBlueprintReaders = {"AgentIdentityBlueprint.Read.All",
                                                 "AgentIdentityBlueprint.ReadWrite.All"};
// Matches: the object id, the application id, the cast.
const std::string kOne =
    R"(/v1\.0/applications(?:/([^/()]+)|\(appId='([^/']+)'\))(/microsoft\.graph\.agentIdentityBlueprint)?)";

// Agent and managed identities are service principals alone.
bool HasApplication(const Registration& registration) {
  return registration.blueprint.empty() && registration.managed_identity.empty();
}

Registration& Target(Tenant& tenant, const Request& request) {
  for (auto& [client_id, registration] : tenant.directory.registrations) {
    const bool named = request.matches[1].matched ? registration.object_id == request.matches[1]
                                                  : client_id == request.matches[2];
    if (!named || !HasApplication(registration)) continue;
    if (request.matches[3].matched && !tenant.directory.IsBlueprint(client_id)) break;
    return registration;
  }
  throw ResourceNotFound("application");
}

bool Owns(const GraphCaller& caller, const Registration& application) {
  return caller.user == nullptr && application.owners.contains(caller.client_id);
}

bool MayRead(const Tenant& tenant, const GraphCaller& caller, const Registration& application) {
  return caller.HoldsAny(kReaders) || (caller.HoldsAny({kOwnedBy}) && Owns(caller, application)) ||
         (tenant.directory.IsBlueprint(application.client_id) &&
          caller.HoldsAny(kBlueprintReaders));
}

// A blueprint's credentials have an address and permissions of their own.
void RequireWriter(const Tenant& tenant, const Request& request, const GraphCaller& caller,
                   const Registration& application) {
  const bool blueprint = tenant.directory.IsBlueprint(application.client_id);
  const bool may = blueprint ? caller.HoldsAny(kBlueprintWriters)
                             : caller.HoldsAny(kWriters) ||
                                   (caller.HoldsAny({kOwnedBy}) && Owns(caller, application));
  if (!may || blueprint != request.matches[3].matched) throw RequestDenied();
}

// An application rolls its own keys without any permission.
void RequireRoller(const Tenant& tenant, const Request& request, const GraphCaller& caller,
                   const Registration& application) {
  const bool itself = caller.user == nullptr && caller.client_id == application.client_id;
  const bool blueprint = tenant.directory.IsBlueprint(application.client_id);
  if (itself && blueprint == request.matches[3].matched) return;
  RequireWriter(tenant, request, caller, application);
}

json ApplicationObject(const Tenant& tenant, const Registration& application) {
  json object = {{"id", application.object_id},
                 {"appId", application.client_id},
                 {"displayName", application.name},
                 {"keyCredentials", json::array()},
                 {"passwordCredentials", json::array()}};
  if (tenant.directory.IsBlueprint(application.client_id)) {
    object["@odata.type"] = "#microsoft.graph.agentIdentityBlueprint";
  }
  for (const auto& key : application.certificates) {
    object["keyCredentials"].push_back(KeyObject(key));
  }
  for (const auto& password : application.passwords) {
    object["passwordCredentials"].push_back(PasswordObject(password));
  }
  return object;
}

json ServeOne(Tenant& tenant, const Request& request, const GraphCaller& caller) {
  const Registration& application = Target(tenant, request);
  if (!MayRead(tenant, caller, application)) throw RequestDenied();
  return ApplicationObject(tenant, application);
}

json ServeList(Tenant& tenant, const Request& request, const GraphCaller& caller) {
  if (!caller.HoldsAny(kReaders) && !caller.HoldsAny({kOwnedBy})) throw RequestDenied();
  std::smatch wanted;
  const std::string filter = request.get_param_value("$filter");
  if (!filter.empty() && !std::regex_match(filter, wanted, std::regex("appId eq '([^']+)'"))) {
    throw GraphError{400, "Request_UnsupportedQuery", "The filter is not supported."};
  }
  json list = json::array();
  for (const auto& [client_id, application] : tenant.directory.registrations) {
    if (!HasApplication(application) || !MayRead(tenant, caller, application)) continue;
    if (filter.empty() || wanted[1] == client_id) {
      list.push_back(ApplicationObject(tenant, application));
    }
  }
  return {{"value", list}};
}

json ServeAddPassword(Tenant& tenant, const Request& request, const GraphCaller& caller) {
  Registration& application = Target(tenant, request);
  RequireWriter(tenant, request, caller, application);
  return AddPassword(tenant, application,
                     request.body.empty() ? json::object() : GraphBody(request));
}

json ServeRemovePassword(Tenant& tenant, const Request& request, const GraphCaller& caller) {
  Registration& application = Target(tenant, request);
  RequireWriter(tenant, request, caller, application);
  RemovePassword(application, GraphBody(request));
  return nullptr;
}

json ServeAddKey(Tenant& tenant, const Request& request, const GraphCaller& caller) {
  Registration& application = Target(tenant, request);
  RequireRoller(tenant, request, caller, application);
  return AddKey(tenant, application, GraphBody(request));
}

json ServeRemoveKey(Tenant& tenant, const Request& request, const GraphCaller& caller) {
  Registration& application = Target(tenant, request);
  RequireRoller(tenant, request, caller, application);
  RemoveKey(tenant, application, GraphBody(request));
  return nullptr;
}

}  // namespace

void AddApplicationRoutes(Routes& routes, Tenant& tenant) {
  const auto handler = [&tenant](auto serve, int status = 200) {
    return ServeGraph(tenant, {{}, {}, serve, status, /*decides_itself=*/true});
  };
  routes.Get("/v1.0/applications", handler(ServeList));
  routes.Get(kOne, handler(ServeOne));
  routes.Post(kOne + "/addPassword", handler(ServeAddPassword));
  routes.Post(kOne + "/removePassword", handler(ServeRemovePassword, 204));
  routes.Post(kOne + "/addKey", handler(ServeAddKey));
  routes.Post(kOne + "/removeKey", handler(ServeRemoveKey, 204));
}

}  // namespace devtenant
