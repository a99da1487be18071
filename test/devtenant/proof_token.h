// test/devtenant/proof_token.h: tokens that prove something to the token endpoint: a user's, and
// those for Entra's own token exchange.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "test/devtenant/client_authentication.h"
#include "test/devtenant/tenant.h"

namespace devtenant {

inline constexpr char kExchange[] = "api://AzureADTokenExchange";

/// A token answer for kExchange, whose subject is `subject`: an agent identity that `client`, its
/// blueprint, vouches for, or `client` itself. The caller holds the tenant's mutex.
nlohmann::json MintExchangeToken(Tenant& tenant, const Registration& client,
                                 const std::string& subject);

/// The claims of a token that this tenant signed and that is valid now. Throws EntraError: 50013
/// (not ours, tampered with, not RS256) · 500133 (not within its time).
nlohmann::json VerifyOwnToken(const Tenant& tenant, const std::string& token);

/// Whose client_assertion it is: that of an agent identity (the first leg's token of its
/// blueprint), or a token of a federated identity credential: of this tenant's managed identities,
/// or of the platform that this tenant plays (PlatformIssuer). Throws EntraError: 700211 (issuer),
/// 700213 (subject), 700212 (audience), 700024 (time), 700027 (signature).
void CheckForeignAssertion(const Tenant& tenant, const std::string& assertion,
                           const Registration& registration);

/// The issuer of an OIDC platform such as a Kubernetes cluster's.
std::string PlatformIssuer(const Tenant& tenant);

/// A user's access token for the application `audience`; `claims` are merged into it.
std::string MintUserToken(Tenant& tenant, const User& user, const std::string& audience,
                          const nlohmann::json& claims);
/// A token of the platform for `subject`, such as "system:serviceaccount:agents:helpdesk".
std::string MintPlatformToken(Tenant& tenant, const std::string& subject,
                              const nlohmann::json& claims);

}  // namespace devtenant
