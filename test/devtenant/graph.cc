#include "test/devtenant/graph.h"

#include "test/devtenant/graph_applications.h"
#include "test/devtenant/graph_chats.h"
#include "test/devtenant/graph_operation.h"
#include "test/devtenant/graph_principals.h"

namespace devtenant {
namespace {

using httplib::Request;
using nlohmann::json;

json UserObject(const User& user) {
  return {{"id", user.oid},
          {"userPrincipalName", user.upn},
          {"displayName", user.name},
          {"accountEnabled", user.enabled}};
}

json ServeMe(Tenant&, const Request&, const GraphCaller& caller) {
  return UserObject(*caller.user);
}

json ServeMessages(Tenant& tenant, const Request&, const GraphCaller& caller) {
  return {{"@odata.context",
           tenant.graph + "/v1.0/$metadata#users('" + caller.user->oid + "')/messages"},
          {"value", caller.user->messages}};
}

json ServeSendMail(Tenant& tenant, const Request& request, const GraphCaller& caller) {
  const json mail = json::parse(request.body, nullptr, false);
  if (!mail.is_object() || !mail.contains("message")) {
    throw GraphError{400, "BadRequest", "A message is expected."};
  }
  tenant.recorder.SentMail({{"from", caller.user->upn}, {"mail", mail}});
  return nullptr;
}

json ServeUsers(Tenant& tenant, const Request&, const GraphCaller&) {
  auto users = json::array();
  for (const auto& [oid, user] : tenant.directory.users) users.push_back(UserObject(user));
  return {{"value", users}};
}

json ServeUser(Tenant& tenant, const Request& request, const GraphCaller&) {
  const User* user = tenant.directory.FindUser(request.matches[1]);
  if (user == nullptr) throw ResourceNotFound("user");
  return UserObject(*user);
}

}  // namespace

void AddGraphRoutes(Routes& routes, Tenant& tenant) {
  const std::set<std::string> read_users = {"User.Read.All", "User.ReadWrite.All",
                                            "Directory.Read.All", "Directory.ReadWrite.All"};
  const auto handler = [&tenant](const GraphOperation& operation) {
    return ServeGraph(tenant, operation);
  };
  routes.Get("/v1.0/me", handler({{"User.Read", "User.ReadWrite", "User.Read.All"}, {}, ServeMe}));
  routes.Get("/v1.0/me/messages",
             handler({{"Mail.Read", "Mail.ReadBasic", "Mail.ReadWrite"}, {}, ServeMessages}));
  routes.Post("/v1.0/me/sendMail", handler({{"Mail.Send"}, {}, ServeSendMail, 202}));
  routes.Get("/v1.0/users", handler({read_users, read_users, ServeUsers}));
  routes.Get("/v1.0/users/([^/]+)", handler({read_users, read_users, ServeUser}));
  AddApplicationRoutes(routes, tenant);
  AddPrincipalRoutes(routes, tenant);
  AddChatRoutes(routes, tenant);
}

}  // namespace devtenant
