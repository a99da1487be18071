// broker/entra/id_token.h: who signed in (OpenID Connect Core 1.0 §2, as Entra fills it in).
#pragma once
#include <string>
#include <vector>

#include "broker/base/result.h"
#include "broker/base/secret.h"
#include "broker/entra/user_assertion.h"

namespace broker::entra {

/// Source: "ID token claims reference" and "Groups overage claim", Microsoft identity platform.
struct SignedIn {
  std::string oid;                  // in lower case
  std::vector<std::string> groups;  // object ids, in lower case
  /// Entra left the groups out, for they are too many: nothing is known of them.
  bool groups_left_out = false;
};

/// The id_token of a token endpoint's 200; the other tokens in it are wiped unread. Errors:
/// kCorrupt.
Result<Secret> TakeIdToken(const Secret& body);

/// Verifies signature, issuer, tenant, audience (the application's id and nothing else), `exp` and
/// `nbf`, then reads who it is. A `nonce` refuses: none was asked for, so the token was made for
/// another request. Errors: kCorrupt (not such a token) · kDenied (the detail names the claim).
Result<SignedIn> VerifyIdToken(const Secret& token, const VerificationKey& key,
                               const AssertionTerms& terms);

}  // namespace broker::entra
