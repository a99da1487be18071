// broker/entra/user_assertion.h: whether a token that an agent passes on is a user's, and for us.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"
#include "broker/base/secret.h"
#include "broker/entra/json_web_keys.h"
#include "broker/ports/clock.h"

namespace broker::entra {

// Entra's tokens of users with many groups; a longer one is not looked at.
inline constexpr size_t kMaxUserAssertionBytes = size_t{16} << 10;
// Between this host's clock and Entra's, as Entra's own servers allow.
inline constexpr std::chrono::minutes kClockSkew{5};

/// The id of the key that a JWS in compact form (RFC 7515 §7.1) says it is signed with. Nothing is
/// believed yet. Errors: kCorrupt: not three parts, another algorithm than RS256, `crit`, no kid, a
/// key id of other characters than printable ASCII. The detail never quotes the token.
Result<std::string> KeyIdOf(const Secret& assertion);

/// What a user's token must say.
struct AssertionTerms {
  std::vector<std::string> issuers;  // any one of them
  std::string tenant;                // GUID
  std::string app_id;                // the audience: this GUID, or api:// and it
  Clock::Wall now;
};

/// Whether the signature is `key`'s, which is for one of the issuers where it names any. No claim
/// is looked at. Errors: as KeyIdOf's; kDenied.
Status VerifySignedFor(const Secret& assertion, const VerificationKey& key,
                       const AssertionTerms& terms);

/// The user's object id, once the signature is `key`'s, which is for one of the issuers where it
/// names any, and every term holds: issuer, audience,
/// tenant, `exp` in the future and `nbf` in the past, a user's token (`scp`, not `idtyp` app).
/// Errors: kCorrupt (what KeyIdOf and ReadAccessTokenClaims refuse) · kDenied (anything else; the
/// detail names the claim).
Result<std::string> VerifyUserAssertion(const Secret& assertion, const VerificationKey& key,
                                        const AssertionTerms& terms);

}  // namespace broker::entra
