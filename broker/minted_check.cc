#include "broker/minted_check.h"

#include <algorithm>
#include <string_view>

#include "broker/base/ascii.h"
#include "broker/entra/discovery.h"
#include "broker/entra/scope_list.h"
#include "broker/policy/decide.h"
#include "broker/policy/kinds.h"

namespace broker {
namespace {

// Microsoft Graph's own application id, the same in every cloud. Source: "Verify first-party
// Microsoft applications in sign-in reports". v1.0 tokens may carry it as audience.
constexpr std::string_view kGraphAppId = "00000003-0000-0000-c000-000000000000";
// Azure Key Vault's, in every cloud, too: tokens of version 2.0 carry it.
constexpr std::string_view kKeyVaultAppId = "cfa8b339-82a2-471a-a3c9-0fc0be7a4093";
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

std::string WrongLifetime(const AccessToken& token, const MintedTerms& terms, Clock::Wall now) {
  const Clock::Wall expires{std::chrono::seconds(token.exp_unix)};
  if (expires <= now) return "expired";
  const auto longest = terms.continuous_access ? kLongestContinuousLife : kLongestLife;
  if (expires - now > longest + kClockSkew) return "lifetime";
  if (terms.max_lifetime.count() == 0) return {};
  auto life = std::chrono::duration_cast<std::chrono::seconds>(token.expires_at - token.minted_at);
  // Whoever honours the token looks at its own expiry, whatever the answer said of it.
  if (expires - now > terms.max_lifetime + kClockSkew) {
    life = std::chrono::duration_cast<std::chrono::seconds>(expires - now);
  }
  if (life <= terms.max_lifetime) return {};
  return "lifetime of " + std::to_string(life.count()) + " s, and max_lifetime is " +
         std::to_string(terms.max_lifetime.count()) + " s";
}

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

// A permission's name; anything else a token holds there is not written anywhere.
std::string Printable(const std::string& scope) {
  constexpr size_t kLongest = 80;
  const bool plain = std::ranges::all_of(scope, [](char c) {
    return IsAlnum(c) || std::string_view("._-:/").find(c) != std::string_view::npos;
  });
  return plain && scope.size() <= kLongest ? scope : "(no permission's name)";
}

std::string Excess(const AccessToken& token, const std::vector<std::string>& allowed) {
  constexpr size_t kMostNames = 10;  // a registration may be consented to hundreds
  std::string excess;
  size_t count = 0;
  for (const std::string& scope : token.scopes) {
    if (entra::IsOidcScope(scope) || Contains(allowed, scope)) continue;
    if (++count <= kMostNames) excess += (excess.empty() ? "" : " ") + Printable(scope);
  }
  if (count > kMostNames) excess += " and " + std::to_string(count - kMostNames) + " more";
  return excess;
}

Refusal Mismatch(const std::string& what) {
  return {Reason::kMintedMismatch, {}, "minted token: " + what, std::nullopt};
}

}  // namespace

std::optional<Refusal> CheckMinted(const AccessToken& token, const MintedTerms& terms,
                                   Clock::Wall now) {
  const policy::Tenant& tenant = terms.config.tenant;
  if (!SameAudience(token.audience, terms.asked.resource, tenant.graph))
    return Mismatch("audience");
  if (!SameTenant(token, tenant)) return Mismatch("tenant");
  if (const char* what = WrongPrincipal(token, terms.credential, terms.asked))
    return Mismatch(what);
  if (const auto what = WrongLifetime(token, terms, now); !what.empty()) return Mismatch(what);
  if (std::string excess = Excess(token, terms.allowed); !excess.empty()) {
    return Refusal{Reason::kOverScoped, {}, "can also do: " + excess, std::nullopt};
  }
  for (const std::string& name : terms.asked.scopes) {
    if (name == ".default" || Contains(token.scopes, name)) continue;
    return Refusal{Reason::kConsentRequired, {}, "minted without " + name, std::nullopt};
  }
  if (token.scopes.empty())
    return Refusal{Reason::kConsentRequired, {}, "minted without any scope", std::nullopt};
  return std::nullopt;
}

std::optional<Refusal> CheckForAnybody(const AccessToken& token, const policy::Config& config,
                                       const policy::Credential& credential, const TokenKey& key,
                                       Clock::Wall now) {
  std::optional<Refusal> over_scoped;
  for (auto& allowed : policy::MostScopes(config, key.credential, key.resource)) {
    auto refusal = CheckMinted(token,
                               {.config = config,
                                .credential = credential,
                                .asked = key,
                                .allowed = std::move(allowed),
                                .continuous_access = AsksForContinuousAccess(key.claims)},
                               now);
    if (!refusal || refusal->reason != Reason::kOverScoped) return refusal;
    over_scoped = std::move(refusal);
  }
  return over_scoped;
}

std::optional<Refusal> CheckForVault(const AccessToken& token, const policy::Config& config,
                                     const policy::Credential& identity,
                                     const std::string& resource, Clock::Wall now) {
  if (WithoutSlash(token.audience) != WithoutSlash(resource) && token.audience != kKeyVaultAppId) {
    return Mismatch("audience");
  }
  if (!SameTenant(token, config.tenant)) return Mismatch("tenant");
  const bool named = !identity.client_id.empty();
  if (named && !entra::SameGuid(identity.client_id, token.app_id)) return Mismatch("application");
  if (!token.app_only) return Mismatch("a user's token for a vault");
  if (Clock::Wall(std::chrono::seconds(token.exp_unix)) <= now) return Mismatch("expired");
  return std::nullopt;
}

std::optional<Refusal> CheckForGraph(const AccessToken& token, const policy::Config& config,
                                     const policy::Credential& credential, Clock::Wall now) {
  const std::string& graph = config.tenant.graph;
  if (!SameAudience(token.audience, graph, graph)) return Mismatch("audience");
  if (!SameTenant(token, config.tenant)) return Mismatch("tenant");
  const bool named = !credential.client_id.empty();
  if (named && !entra::SameGuid(credential.client_id, token.app_id)) return Mismatch("application");
  const bool of_user = !token.app_only;
  if (of_user && !entra::SameGuid(credential.user, token.user_oid)) return Mismatch("user");
  if (Clock::Wall(std::chrono::seconds(token.exp_unix)) <= now) return Mismatch("expired");
  return std::nullopt;
}

}  // namespace broker
