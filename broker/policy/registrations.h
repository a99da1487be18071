// broker/policy/registrations.h: the app registrations that a configuration asks for.
#pragma once
#include <string>
#include <vector>

#include "broker/policy/config.h"

namespace broker::policy {

/// Whether its tokens speak for a user: the permissions are those that Entra calls delegated.
bool IsDelegated(const Credential& credential);
/// Whether the client id is all zeros: it stands for one that is yet to be made.
bool IsYetToBeMade(const Credential& credential);
/// Equal for credentials of the same registration: the client id, in lower case; the credential's
/// own name where it is yet to be made.
std::string RegistrationKey(const Credential& credential);

/// Whether the vault is shown this registration's tokens: named by `auth`, or the one that the
/// platform's workload identity is.
bool ShowsVault(const Vault& vault, const Credential& credential);

/// One registration, agent identity or managed identity in Entra. Entra puts every scope consented
/// to it into each token, so it is consented to exactly what these agents may have.
struct Registration {
  /// What its credential is called: as in the configuration, with an agent's name behind it where
  /// agents that share a credential may have different scopes.
  std::string credential;
  const Credential* written = nullptr;  // borrowed from the configuration
  std::vector<std::string> agents;      // sorted; none where it only proves another
  std::vector<std::string> scopes;      // canonical, sorted: all that their rules grant
};

/// The fewest registrations with which no token holds more than its agent may have: one for each
/// credential and set of scopes, and one without scopes for what proves an agent identity or shows
/// a vault who asks, and one with all its scopes for what [admin] upstream names. An application's
/// proof for on-behalf-of is the same registration, not another. Pure; in the order of the
/// credentials. `config` must outlive what is returned.
std::vector<Registration> DeriveRegistrations(const Config& config);

}  // namespace broker::policy
