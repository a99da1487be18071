// test/devtenant/control.h: what a test tells the tenant to do, and asks of it.
#pragma once
#include "test/devtenant/listener.h"
#include "test/devtenant/tenant.h"

namespace devtenant {

/// The control interface that README.md lists. `tenant` must outlive `routes`.
void AddControlRoutes(Routes& routes, Tenant& tenant);

}  // namespace devtenant
