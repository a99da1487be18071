#include "broker/minted_check.h"

#include <algorithm>
#include <string_view>

#include "broker/entra/discovery.h"
#include "broker/entra/scope_list.h"
#include "broker/policy/kinds.h"

namespace broker {
namespace {

// Microsoft Graph's own application id, the same in every cloud. Source: "Verify first-party
// Microsoft applications in sign-in reports". v1.0 tokens may carry it as audience.
constexpr std::string_view kGraphAppId = "00000003-0000-0000-c000-000000000000";
constexpr std::string_view kApiScheme = "api://";

std::string_view WithoutSlash(std::string_view uri) {
  if (uri.ends_with('/')) uri.remove_suffix(1);
  return uri;
}

bool SameAudience(std::string_view audience, std::string_view resource, std::string_view graph) {
  audience = WithoutSlash(audience);
  resource = WithoutSlash(resource);
  if (audience == resource) return true;
  if (resource == WithoutSlash(graph)) return audience == kGraphAppId;
  if (!resource.starts_with(kApiScheme)) return false;
  return entra::SameGuid(resource.substr(kApiScheme.size()), audience);  // v2.0 tokens
}

bool SameTenant(const AccessToken& token, const policy::Tenant& tenant) {
  if (entra::IsGuid(tenant.id)) return entra::SameGuid(tenant.id, token.tenant);
  return !tenant.id.empty() && token.tenant_domain == tenant.id;
}

// nullptr: the token is for whom it was asked for.
const char* WrongPrincipal(const AccessToken& token, const policy::Credential& credential,
                           const TokenKey& key) {
  if (!entra::SameGuid(credential.client_id, token.app_id)) return "application";
  const auto subject = policy::SubjectOf(credential);
  if (subject == policy::Subject::kApplication) {
    return token.app_only ? nullptr : "a user's token from an application's credential";
  }
  if (token.app_only) return "an application's token from a user's credential";
  const bool configured = subject == policy::Subject::kConfiguredUser;
  if (configured && !entra::SameGuid(credential.user, token.user_oid)) return "user";
  const bool asked = !configured || !key.user.empty();
  if (asked && !entra::SameGuid(key.user, token.user_oid)) return "user";
  return nullptr;
}

const char* WrongLifetime(const AccessToken& token, Clock::Wall now) {
  const Clock::Wall expires{std::chrono::seconds(token.exp_unix)};
  if (expires <= now) return "expired";
  if (expires - now > kLongestLife + kClockSkew) return "lifetime";
  return nullptr;
}

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

std::string Excess(const AccessToken& token, const std::vector<std::string>& allowed) {
  std::string excess;
  for (const std::string& scope : token.scopes) {
    if (entra::IsOidcScope(scope) || Contains(allowed, scope)) continue;
    excess += excess.empty() ? scope : " " + scope;
  }
  return excess;
}

Refusal Mismatch(const char* what) {
  return {Reason::kMintedMismatch, {}, std::string("minted token: ") + what, std::nullopt};
}

}  // namespace

std::optional<Refusal> CheckMinted(const AccessToken& token, const policy::Config& config,
                                   const policy::Credential& credential, const TokenKey& asked,
                                   const std::vector<std::string>& allowed, Clock::Wall now) {
  if (!SameAudience(token.audience, asked.resource, config.tenant.graph))
    return Mismatch("audience");
  if (!SameTenant(token, config.tenant)) return Mismatch("tenant");
  if (const char* what = WrongPrincipal(token, credential, asked)) return Mismatch(what);
  if (const char* what = WrongLifetime(token, now)) return Mismatch(what);
  if (std::string excess = Excess(token, allowed); !excess.empty()) {
    return Refusal{Reason::kOverScoped, {}, "can also do: " + excess, std::nullopt};
  }
  for (const std::string& name : asked.scopes) {
    if (name == ".default" || Contains(token.scopes, name)) continue;
    return Refusal{Reason::kConsentRequired, {}, "minted without " + name, std::nullopt};
  }
  if (token.scopes.empty())
    return Refusal{Reason::kConsentRequired, {}, "minted without any scope", std::nullopt};
  return std::nullopt;
}

}  // namespace broker
