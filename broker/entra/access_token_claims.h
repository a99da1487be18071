// broker/entra/access_token_claims.h: what an access token says of itself.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "broker/base/result.h"
#include "broker/base/secret.h"

namespace broker::entra {

/// Source: "Access token claims reference", Microsoft identity platform (v1.0 and v2.0 names).
struct AccessTokenClaims {
  std::string iss;  // may be empty
  std::string aud;
  std::string tid;
  std::string app_id;  // appid (v1.0) or azp (v2.0)
  std::string oid;     // the user's, or the service principal's of an application token
  std::string uti;
  bool app_only = false;
  std::vector<std::string> scopes;  // scp and roles together: all that the token can do; sorted
  int64_t nbf = 0;                  // Unix seconds; 0: absent
  int64_t exp = 0;
};

/// Reads the payload of a signed JWT (RFC 7519 in RFC 7515 compact form). The signature is not
/// checked: the token comes from the token endpoint itself over TLS, and purser is not its
/// audience. Errors: kCorrupt for an opaque or encrypted token, a claim of the wrong type, no aud,
/// tid, app id or exp, claims that contradict each other (appid and azp, idtyp and scp). The detail
/// names the claim, never bytes. What the values are worth is judged by CheckMinted.
Result<AccessTokenClaims> ReadAccessTokenClaims(const Secret& token);

}  // namespace broker::entra
