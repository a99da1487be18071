// test/devtenant/requested_scopes.h: the scope parameter as Entra reads it.
#pragma once
#include <set>
#include <string>

#include "test/devtenant/tenant.h"

namespace devtenant {

struct RequestedScopes {
  std::string resource;  // kGraph, or the other resource's identifier
  std::string audience;  // as the token's aud names it
  std::string prefix;    // what scopes were prefixed with in the request; empty for short names
  std::set<std::string> names;  // without prefix; ".default" among them
  bool openid = false, offline_access = false;
};

/// Short names are Graph's. Throws EntraError: 70011 (nothing of a resource), 700022 (two
/// resources).
RequestedScopes ParseScopes(const Tenant& tenant, const std::string& scope);

}  // namespace devtenant
