// test/devtenant/key_vault_access.h: who may do what in the Key Vault.
#pragma once
#include <httplib.h>

#include <nlohmann/json.hpp>
#include <string>

#include "test/devtenant/key_vault.h"
#include "test/devtenant/tenant.h"

namespace devtenant {

/// The service's challenge: the tenant's authority, and the resource that tokens must be for.
std::string VaultChallenge(const Tenant& tenant);

/// The claims of the request's bearer token. Throws VaultError 401: none, not ours, expired, for
/// another audience or tenant. The caller holds the tenant's mutex.
nlohmann::json VaultCaller(Tenant& tenant, const httplib::Request& request);

/// Throws VaultError 403 unless a role of the caller's object id has the data action, such as
/// "secrets/get".
void RequireRole(const KeyVault& vault, const nlohmann::json& claims, const std::string& action);

}  // namespace devtenant
