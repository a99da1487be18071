// test/devtenant/graph_applications.h: Graph's applications and their credentials.
#pragma once
#include "test/devtenant/graph_operation.h"

namespace devtenant {

/// GET /v1.0/applications[/{id}], POST …/{id}/addKey, removeKey, addPassword, removePassword; an
/// application is named by its object id or by (appId='…'), an agent identity blueprint with
/// /microsoft.graph.agentIdentityBlueprint behind that. `tenant` must outlive `routes`.
void AddApplicationRoutes(Routes& routes, Tenant& tenant);

}  // namespace devtenant
