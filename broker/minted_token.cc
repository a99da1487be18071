#include "broker/minted_token.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <utility>

#include "broker/entra/access_token_claims.h"
#include "broker/entra/discovery.h"
#include "broker/entra/scope_list.h"
#include "broker/minted_check.h"

namespace broker {
namespace {

static_assert(Minter::kFingerprintKeyBytes == crypto_auth_hmacsha256_KEYBYTES);

constexpr int kRenewAtPercent = 80;  // of life, where Entra names no refresh_in

Clock::Wall FromUnix(int64_t seconds) { return Clock::Wall(std::chrono::seconds(seconds)); }

void SetLifetime(AccessToken& token, const entra::TokenResponse& response, const Minting& minting) {
  const auto by_exp = minting.clock.Now() + std::chrono::duration_cast<Clock::Steady::duration>(
                                                FromUnix(token.exp_unix) - minting.clock.WallNow());
  token.minted_at = minting.asked_at;
  token.expires_at = std::min(minting.asked_at + response.expires_in, by_exp);
  const auto life = token.expires_at - token.minted_at;
  token.refresh_at = response.refresh_in ? minting.asked_at + *response.refresh_in
                                         : token.minted_at + life / 100 * kRenewAtPercent;
  token.refresh_at = std::min(token.refresh_at, token.expires_at);
}

}  // namespace

std::string FingerprintOf(const Secret& token, const Secret& key) {
  std::array<unsigned char, crypto_auth_hmacsha256_BYTES> mac{};
  crypto_auth_hmacsha256_state state;
  const auto bytes = [](std::string_view view) {
    return reinterpret_cast<const unsigned char*>(view.data());
  };
  crypto_auth_hmacsha256_init(&state, bytes(key.Expose(Exit::kFingerprint)), key.size());
  crypto_auth_hmacsha256_update(&state, bytes(token.Expose(Exit::kFingerprint)), token.size());
  crypto_auth_hmacsha256_final(&state, mac.data());
  sodium_memzero(&state, sizeof state);  // holds the key's pads and the token's last block
  std::string hex(2 * mac.size() + 1, '\0');
  sodium_bin2hex(hex.data(), hex.size(), mac.data(), mac.size());
  hex.pop_back();
  return hex;
}

std::expected<AccessToken, Refusal> ReadMintedToken(entra::TokenResponse response,
                                                    const Minting& minting) {
  auto claims = entra::ReadAccessTokenClaims(response.access_token);
  if (!claims) return Refuse(Reason::kUpstreamInvalid, {}, claims.error().detail);
  if (FromUnix(claims->nbf) > minting.clock.WallNow() + kClockSkew) {
    return Refuse(Reason::kMintedMismatch, {}, "nbf lies in the future: compare the clocks");
  }
  AccessToken token;
  token.exp_unix = claims->exp;
  SetLifetime(token, response, minting);
  token.value = std::move(response.access_token);
  token.fingerprint = FingerprintOf(token.value, minting.fingerprint_key);
  token.audience = std::move(claims->aud);
  token.tenant = std::move(claims->tid);
  if (!entra::IsGuid(minting.tenant.id) && entra::SameGuid(token.tenant, minting.tenant_guid)) {
    token.tenant_domain = minting.tenant.id;
  }
  token.app_id = std::move(claims->app_id);
  token.uti = std::move(claims->uti);
  token.app_only = claims->app_only;
  if (!token.app_only) token.user_oid = std::move(claims->oid);
  token.scopes = entra::MergeScopes(claims->scopes, response.granted);
  token.credential_version = minting.credential_version;
  return token;
}

}  // namespace broker
