// broker/ports/token_cache.h: access tokens that are already minted.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker/base/result.h"
#include "broker/base/secret.h"
#include "broker/ports/clock.h"
#include "broker/reason.h"

namespace broker {

/// One minted token with the facts that were read from it. Immutable and shared.
struct AccessToken {
  Secret value;
  Clock::Steady minted_at{};
  Clock::Steady expires_at{};
  Clock::Steady refresh_at{};  // when a background renewal is due (refresh_in, else 80 % of life)
  int64_t exp_unix = 0;        // wall clock, for the answer's expires_on
  // What it can do, and for whom, from its claims and the token endpoint's answer.
  std::string audience, tenant, app_id, user_oid, uti;
  std::string tenant_domain;        // the configured domain that discovery resolved to `tenant`
  bool app_only = false;            // `roles` instead of `scp`
  std::vector<std::string> scopes;  // scp or roles, sorted
  std::string fingerprint;          // keyed hash, hex
  std::string credential_version;
};
using SharedToken = std::shared_ptr<const AccessToken>;

/// What makes two requests share one token. No agent in it: what a token may do for an agent is
/// checked at each release.
struct TokenKey {
  std::string credential;
  std::string resource;             // "https://graph.microsoft.com"
  std::vector<std::string> scopes;  // as requested of Entra, sorted
  std::string claims;               // canonical JSON of a claims challenge, or empty
  std::string user;                 // object id, or empty
  bool operator==(const TokenKey&) const = default;
  auto operator<=>(const TokenKey&) const = default;
};

using MintResult = std::expected<SharedToken, Refusal>;
using MintFunction = std::function<MintResult()>;

/// Thread-safe.
class TokenCache {
 public:
  virtual ~TokenCache() = default;
  /// A cached token with at least `min_validity` left, or null. Never waits.
  virtual SharedToken Find(const TokenKey& key, std::chrono::seconds min_validity) = 0;
  /// A cached token with at least `min_validity` left, else what `mint` returns, called once for
  /// all concurrent callers of the same key. When the cached token is past its refresh_at it is
  /// still returned at once and the key is marked due for renewal. When `mint` fails transiently
  /// while a valid token stands (of at least `min_validity`), that token is returned.
  virtual MintResult GetOrMint(const TokenKey& key, std::chrono::seconds min_validity,
                               const MintFunction& mint) = 0;
  /// Drops every token of the credential, so that the next request mints.
  virtual void Evict(const std::string& credential) = 0;
  /// Drops the token of this key alone, unless it was minted a moment ago.
  virtual void Drop(const TokenKey& key) = 0;
  /// Somebody says that the resource refused the token of this key: it is due for renewal, and
  /// serves until that is done. Nothing happens to one that was minted a moment ago.
  virtual void Doubt(const TokenKey& key) = 0;
};

}  // namespace broker
