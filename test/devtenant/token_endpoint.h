// test/devtenant/token_endpoint.h: POST /{tenant}/oauth2/v2.0/token.
#pragma once
#include <nlohmann/json.hpp>

#include "test/devtenant/client_authentication.h"
#include "test/devtenant/tenant.h"

namespace devtenant {

/// Serves client_credentials, refresh_token and device_code. Throws EntraError.
/// The caller holds the tenant's mutex.
nlohmann::json GrantToken(Tenant& tenant, const Form& form, const Fault& fault);

}  // namespace devtenant
