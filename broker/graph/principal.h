// broker/graph/principal.h: what ends an identity or a user's grants at Entra (Microsoft Graph
// v1.0: servicePrincipal, agentIdentity, oauth2PermissionGrant, user), as pure requests and
// answers.
#pragma once
#include <string>
#include <vector>

#include "broker/base/result.h"
#include "broker/base/secret.h"
#include "broker/ports/http_transport.h"

namespace broker::graph {

/// A delegated consent of one application for one resource.
struct Grant {
  std::string id;
  std::string principal;  // the user's object id; empty: consented to for everybody
};

/// `graph`: "https://graph.microsoft.com", no trailing slash. Ids are GUIDs.
/// No new tokens from then on; those that are out live on.
HttpRequest DisablePrincipal(const std::string& graph, const std::string& app_id);
/// The same for an agent identity, whose object id is its client id.
HttpRequest DisableAgent(const std::string& graph, const std::string& agent_id);
/// All refresh tokens of the user, of every application; Entra takes some minutes. Not of guests.
HttpRequest RevokeSessions(const std::string& graph, const std::string& user);
/// The service principal behind an application: its object id is what grants name.
HttpRequest ReadPrincipal(const std::string& graph, const std::string& app_id);
HttpRequest ListGrants(const std::string& graph, const std::string& principal_id);
HttpRequest DeleteGrant(const std::string& graph, const std::string& grant_id);

// Errors of these: kCorrupt; the detail names the field, never bytes.
Result<std::string> ReadPrincipalAnswer(const Secret& body);
struct GrantPage {
  std::vector<Grant> grants;
  bool more = false;  // Graph has others that it did not list here
};
Result<GrantPage> ReadGrants(const Secret& body);

// What is to be granted to whoever asks.
inline constexpr const char* kMayDisablePrincipal =
    "Application.ReadWrite.OwnedBy with ownership, or Application.ReadWrite.All";
inline constexpr const char* kMayDisableAgent = "AgentIdentity.EnableDisable.All";
inline constexpr const char* kMayRevokeSessions = "User.RevokeSessions.All";
inline constexpr const char* kMayReadPrincipal = "Application.Read.All";
inline constexpr const char* kMayChangeGrants = "DelegatedPermissionGrant.ReadWrite.All";

}  // namespace broker::graph
