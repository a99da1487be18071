#include "broker/entra/user_assertion.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "broker/base/ascii.h"
#include "broker/base/base64.h"
#include "broker/base/strict_json.h"
#include "broker/entra/access_token_claims.h"
#include "broker/entra/discovery.h"

namespace broker::entra {
namespace {

constexpr size_t kMaxKeyId = 256;

std::unexpected<Error> Bad(const char* what) {
  return Fail(ErrorCode::kCorrupt, std::string("user assertion: ") + what);
}
std::unexpected<Error> No(const char* what) {
  return Fail(ErrorCode::kDenied, std::string("user assertion: ") + what);
}

// header.claims.signature: where the dots are.
struct Dots {
  size_t first, second;
};
Result<Dots> FindDots(std::string_view token) {
  const size_t first = token.find('.');
  const size_t second = first == token.npos ? first : token.find('.', first + 1);
  if (second == token.npos || token.find('.', second + 1) != token.npos) {
    return Bad("not a signed JWT");
  }
  return Dots{first, second};
}

bool SameAudience(std::string_view audience, std::string_view app_id) {
  constexpr std::string_view kScheme = "api://";
  if (audience.starts_with(kScheme)) audience.remove_prefix(kScheme.size());
  return SameGuid(app_id, audience);
}

// Entra says beside a key whose tokens it signs. One set may hold those of personal accounts or of
// another cloud, which must not vouch for users of this tenant. It names the issuer as v2.0 tokens
// do, whichever version the token has.
bool MaySign(const VerificationKey& key, const AssertionTerms& terms) {
  constexpr std::string_view kAnyTenant = "{tenantid}";
  if (key.issuer.empty()) return true;
  std::string issuer = key.issuer;
  if (const size_t at = issuer.find(kAnyTenant); at != issuer.npos) {
    issuer.replace(at, kAnyTenant.size(), terms.tenant);
  }
  const auto same = [&](const std::string& one) { return SameIgnoringCase(issuer, one); };
  return std::ranges::any_of(terms.issuers, same);
}

}  // namespace

Result<std::string> KeyIdOf(const Secret& assertion) {
  if (assertion.size() > kMaxUserAssertionBytes) return Bad("too long");
  const std::string_view token = assertion.Expose(Exit::kInspectClaims);
  const auto dots = FindDots(token);
  if (!dots) return std::unexpected(dots.error());
  const auto bytes = Base64UrlDecode(token.substr(0, dots->first));
  if (!bytes) return Bad("not base64url");
  const auto header = ParseStrictJson(bytes->Expose(Exit::kInspectClaims));
  if (!header || !header->is_object()) return Bad("the header is no object");
  const auto text = [&](const char* name) {
    const auto it = header->find(name);
    return it != header->end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  if (text("alg") != "RS256") return Bad("the algorithm is not RS256");
  if (header->contains("crit")) return Bad("an extension that must be understood");
  std::string id = text("kid");
  const bool plain = std::ranges::all_of(id, [](char c) { return c > ' ' && c < 0x7f; });
  if (id.empty() || id.size() > kMaxKeyId || !plain) return Bad("kid");
  return id;
}

Status VerifySignedFor(const Secret& assertion, const VerificationKey& key,
                       const AssertionTerms& terms) {
  const auto id = KeyIdOf(assertion);
  if (!id) return std::unexpected(id.error());
  if (*id != key.id) return No("kid");
  if (!MaySign(key, terms)) return No("a key of another issuer");
  const std::string_view token = assertion.Expose(Exit::kInspectClaims);
  const auto dots = FindDots(token);
  if (!dots) return std::unexpected(dots.error());
  const auto signature = Base64UrlDecode(token.substr(dots->second + 1));
  if (!signature) return Bad("not base64url");
  if (!VerifyRs256(key, token.substr(0, dots->second), signature->Expose(Exit::kInspectClaims))) {
    return No("signature");
  }
  return {};
}

Result<std::string> VerifyUserAssertion(const Secret& assertion, const VerificationKey& key,
                                        const AssertionTerms& terms) {
  if (const Status signed_by = VerifySignedFor(assertion, key, terms); !signed_by) {
    return std::unexpected(signed_by.error());
  }
  const auto claims = ReadAccessTokenClaims(assertion);
  if (!claims) return std::unexpected(claims.error());
  if (std::ranges::find(terms.issuers, claims->iss) == terms.issuers.end()) return No("iss");
  if (!SameGuid(terms.tenant, claims->tid)) return No("tid");
  if (!SameAudience(claims->aud, terms.app_id)) return No("aud");
  const auto at = [](int64_t seconds) { return Clock::Wall(std::chrono::seconds(seconds)); };
  if (at(claims->exp) + kClockSkew <= terms.now) return No("expired");
  if (claims->nbf == 0 || at(claims->nbf) > terms.now + kClockSkew) return No("nbf");
  if (claims->app_only || claims->scopes.empty()) return No("not a user's token");
  if (!IsGuid(claims->oid)) return No("oid");
  return claims->oid;
}

}  // namespace broker::entra
