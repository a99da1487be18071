// test/devtenant/key_vault_routes.h: the Key Vault's own host, and the control interface's part.
#pragma once
#include "test/devtenant/listener.h"
#include "test/devtenant/tenant.h"

namespace devtenant {

/// Secrets, keys, certificates as README.md lists them. `tenant` must outlive `routes`.
void AddKeyVaultRoutes(Routes& routes, Tenant& tenant);
/// What a test does to the vault without asking it.
void AddKeyVaultControl(Routes& routes, Tenant& tenant);

}  // namespace devtenant
