// broker/minted_check.h: promise 6, what was minted is what may be released.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "broker/policy/config.h"
#include "broker/ports/token_cache.h"

namespace broker {

// Between this host's clock and Entra's: as Entra's own servers allow.
inline constexpr std::chrono::minutes kClockSkew{5};
// The longest that a token lifetime policy can set.
inline constexpr std::chrono::hours kLongestLife{24};
// The longest with continuous access evaluation.
inline constexpr std::chrono::hours kLongestContinuousLife{28};

/// What a token is held against. Borrows for the call.
struct MintedTerms {
  const policy::Config& config;
  const policy::Credential& credential;
  const TokenKey& asked;  // what the agent asked for, whatever key the token is cached under
  std::vector<std::string> allowed;      // AllowedScopes
  std::chrono::seconds max_lifetime{0};  // 0: kLongestLife
  bool continuous_access = false;        // was asked for: then kLongestContinuousLife
};

/// Pure. Nothing: the token may be released. Otherwise
///   kMintedMismatch   audience, tenant, application, user, kind or lifetime differ from what is
///                     configured; nothing is forgiven for being absent
///   kOverScoped       scp, roles or the answer's scope hold more than `allowed`;
///                     `openid profile email offline_access` never count
///   kConsentRequired  a scope of `asked` is not in it; `.default` there asks for what there is
/// Audience: the resource with or without a final slash; Microsoft Graph also by its application
/// id; api://<guid> also as that GUID. Other resources with v2.0 tokens of their own, whose
/// audience is a GUID that the resource's URI does not name, are refused. Tenant: the configured
/// GUID, or the domain that discovery resolved (AccessToken::tenant_domain). User: the
/// configured one's, on behalf of users the one of `asked`, else the token must be an
/// application's. Lifetime: as it was minted, not what is left of it. The refusal's detail says
/// what differs, for the log: names of permissions and numbers, nobody's name.
std::optional<Refusal> CheckMinted(const AccessToken& token, const MintedTerms& terms,
                                   Clock::Wall now);

/// Pure. Why nobody at all may have what was minted for `key`, whatever their rules say of
/// lifetimes: CheckMinted for the agent that may have the most.
std::optional<Refusal> CheckForAnybody(const AccessToken& token, const policy::Config& config,
                                       const policy::Credential& credential, const TokenKey& key,
                                       Clock::Wall now);

/// Pure. Of a token with which purser shows a key vault at `resource` who it is: nothing, or
/// kMintedMismatch. Audience: the resource, or Key Vault's application id. An identity of which
/// no client id is configured (the machine's own) may be any application of the tenant.
std::optional<Refusal> CheckForVault(const AccessToken& token, const policy::Config& config,
                                     const policy::Credential& identity,
                                     const std::string& resource, Clock::Wall now);

/// Pure. Of a token with which purser administers its own registrations at Microsoft Graph:
/// nothing, or kMintedMismatch. Audience, tenant and application must be the configured ones; a
/// delegated token must be the configured user's.
std::optional<Refusal> CheckForGraph(const AccessToken& token, const policy::Config& config,
                                     const policy::Credential& credential, Clock::Wall now);

}  // namespace broker
