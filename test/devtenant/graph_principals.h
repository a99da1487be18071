// test/devtenant/graph_principals.h: what stops somebody in Graph: service principals, agent
// identities, delegated grants and users' sessions.
#pragma once
#include "test/devtenant/graph_operation.h"

namespace devtenant {

/// GET, PATCH /v1.0/servicePrincipals/{id} (also with /microsoft.graph.agentIdentity behind it),
/// GET and DELETE /v1.0/oauth2PermissionGrants, POST /v1.0/users/{id}/revokeSignInSessions and the
/// same of /me. `tenant` must outlive `routes`.
void AddPrincipalRoutes(Routes& routes, Tenant& tenant);

}  // namespace devtenant
