// test/devtenant/access_token.h: tokens as Entra mints them for Graph (version 1.0 claims).
#pragma once
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "test/devtenant/client_authentication.h"
#include "test/devtenant/requested_scopes.h"
#include "test/devtenant/tenant.h"

namespace devtenant {

struct MintOrder {
  AuthenticatedClient client;
  const User* user = nullptr;  // null: app-only
  std::string audience;
  std::set<std::string> permissions;  // scp or roles
  std::string claims;                 // the request's claims parameter, or empty
};

/// The members token_type, access_token, expires_in, ext_expires_in (and refresh_in) of an answer.
/// Throws EntraError 9002313 for claims that are not JSON. The caller holds the tenant's mutex.
nlohmann::json MintAccessToken(Tenant& tenant, const MintOrder& order, const Fault& fault);

/// An OpenID Connect ID token for `user`, with `nonce` unless that is empty.
std::string MintIdToken(Tenant& tenant, const Registration& registration, const User& user,
                        const std::string& nonce);

}  // namespace devtenant
