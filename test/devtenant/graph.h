// test/devtenant/graph.h: a small Microsoft Graph that enforces what a token may do.
#pragma once
#include "test/devtenant/listener.h"
#include "test/devtenant/tenant.h"

namespace devtenant {

/// All of Graph: GET /v1.0/me, /v1.0/me/messages, /v1.0/users, /v1.0/users/{id}; POST
/// /v1.0/me/sendMail; and what the other graph_*.h serve. Each checks signature, audience, tenant,
/// validity and scp or roles. `tenant` must outlive `routes`.
void AddGraphRoutes(Routes& routes, Tenant& tenant);

}  // namespace devtenant
