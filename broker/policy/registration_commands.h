// broker/policy/registration_commands.h: a shell script that makes the registrations in Entra.
#pragma once
#include <string>

#include "broker/policy/config.h"

namespace broker::policy {

/// A POSIX shell script of Azure CLI commands: each of DeriveRegistrations(config), with exactly
/// its permissions and the consent to them, what it proves itself with, and the roles in key
/// vaults. It prints the lines for purser.toml. Permissions are looked up by name in the tenant
/// itself, so the script names none that does not exist there. Holds no secret; pure.
/// Sources: the reference pages of `az ad app`, `az ad sp`, `az rest`, `az role assignment`, and
/// "Grant an appRoleAssignment to a service principal".
std::string RegistrationCommands(const Config& config);

}  // namespace broker::policy
