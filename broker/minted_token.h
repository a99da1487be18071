// broker/minted_token.h: from the token endpoint's answer to a token with its facts.
#pragma once
#include <string>

#include "broker/entra/token_response.h"
#include "broker/minter.h"

namespace broker {

/// What is known besides the answer.
struct Minting {
  const Clock& clock;
  Clock::Steady asked_at;  // before the request left: life is counted from there
  const policy::Tenant& tenant;
  std::string tenant_guid;  // of TenantResolver
  std::string credential_version;
  const Secret& fingerprint_key;
};

/// Reads the claims and counts the token's life by the steady clock, at most to `expires_in` and at
/// most to `exp`. Refuses kUpstreamInvalid (not a readable JWT) and kMintedMismatch (nbf in the
/// future). Everything else about the token is CheckMinted's to judge.
std::expected<AccessToken, Refusal> ReadMintedToken(entra::TokenResponse response,
                                                    const Minting& minting);

/// The keyed hash by which a token is named in the ledger: HMAC-SHA-256, hex.
std::string FingerprintOf(const Secret& token, const Secret& key);

}  // namespace broker
