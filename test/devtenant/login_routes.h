// test/devtenant/login_routes.h: Entra's part: token, devicecode, keys, discovery, the login page.
#pragma once
#include "test/devtenant/listener.h"
#include "test/devtenant/tenant.h"

namespace devtenant {

/// `tenant` must outlive `routes`.
void AddLoginRoutes(Routes& routes, Tenant& tenant);

}  // namespace devtenant
