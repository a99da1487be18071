// test/devtenant/graph_operation.h: one operation of Graph: who may call it, and how it answers.
#pragma once
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "test/devtenant/listener.h"
#include "test/devtenant/tenant.h"

namespace devtenant {

/// Thrown to answer {"error":{"code","message","innerError"}} with that status.
struct GraphError {
  int status;
  std::string code;
  std::string message;
};

/// Whose token it is.
struct GraphCaller {
  const User* user = nullptr;         // null: an application acts as itself
  std::string client_id;              // the application's
  std::set<std::string> permissions;  // the token's scp or roles

  [[nodiscard]] bool HoldsAny(const std::set<std::string>& wanted) const;
};

struct GraphOperation {
  std::set<std::string> delegated;    // any of these scopes
  std::set<std::string> application;  // or any of these roles; empty: delegated only
  nlohmann::json (*serve)(Tenant&, const httplib::Request&, const GraphCaller&);
  int status = 200;
  bool decides_itself = false;  // `serve` checks permissions, which depend on the object
};

/// Serves `operation`: faults first, then signature, audience, tenant, validity and permissions of
/// the token. `tenant` must outlive the handler.
httplib::Server::Handler ServeGraph(Tenant& tenant, const GraphOperation& operation);

/// The request's body. Throws GraphError 400 for what is no JSON object.
nlohmann::json GraphBody(const httplib::Request& request);
/// The error of a caller whose permissions do not suffice.
GraphError RequestDenied();
/// The error of an object that is not there.
GraphError ResourceNotFound(const std::string& what);

}  // namespace devtenant
