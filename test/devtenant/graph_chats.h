// test/devtenant/graph_chats.h: Graph's chats.
#pragma once
#include "test/devtenant/graph_operation.h"

namespace devtenant {

/// POST /v1.0/chats, GET and POST /v1.0/chats/{id}/messages; and of the control interface GET
/// /chats and POST /chats/{id}/messages, with which a test lets a person answer. `tenant` must
/// outlive both.
void AddChatRoutes(Routes& graph, Tenant& tenant);
void AddChatControl(Routes& control, Tenant& tenant);

}  // namespace devtenant
