// test/devtenant/device_login.h: the device authorization grant's other half (RFC 8628).
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "test/devtenant/client_authentication.h"
#include "test/devtenant/tenant.h"

namespace devtenant {

/// POST /{tenant}/oauth2/v2.0/devicecode. Throws EntraError. The caller holds the tenant's mutex.
nlohmann::json StartDeviceLogin(Tenant& tenant, const Form& form);

/// What a person does on the login page: `user` (object id or name) approves or declines the code.
/// Returns what the page says; throws std::runtime_error for an unknown code, user or action.
/// The caller holds the tenant's mutex.
std::string DecideDeviceLogin(Tenant& tenant, const std::string& user_code, const std::string& user,
                              const std::string& action);

/// The login page's form.
std::string DeviceLoginPage();

}  // namespace devtenant
