// test/devtenant/instance_metadata.h: the endpoints of managed identities: IMDS, App Service, Arc.
#pragma once
#include "test/devtenant/listener.h"
#include "test/devtenant/tenant.h"

namespace devtenant {

/// Plain http, as theirs. `tenant` must outlive `routes`.
void AddInstanceMetadataRoutes(Routes& routes, Tenant& tenant);

}  // namespace devtenant
