// broker/token_request.h: what an agent asks for, after its bytes were parsed.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/secret.h"
#include "broker/ledger/entry.h"
#include "broker/reason.h"

namespace broker {

/// POST /v1/token (API.md). Parsed by the window, checked again by the broker.
struct TokenRequest {
  // A Graph permission name has ≤ 60 characters; a URI scope of another resource somewhat more.
  static constexpr size_t kMaxScopes = 64;
  static constexpr size_t kMaxScopeBytes = 256;
  static constexpr size_t kMaxClaimsBytes = 4096;
  static constexpr size_t kMaxUserAssertionBytes = size_t{16} << 10;  // with many groups in it
  static constexpr size_t kMaxContextBytes = 800;  // 200 characters of at most 4 bytes
  static constexpr size_t kMaxTraceBytes = 64;
  static constexpr uint32_t kMaxWait = 60;  // below the window's patience with the broker
  static constexpr size_t kApprovalIdBytes = 32;
  static constexpr uint32_t kMaxMinValidity = 3600;  // the shortest usual token life

  std::vector<std::string> scopes;  // as sent: "Mail.Read", "https://…/.default"
  std::chrono::seconds min_validity{0};
  /// A user's token for the application that acts on the user's behalf; null: none.
  std::shared_ptr<const Secret> user_assertion;
  std::string claims;  // a claims challenge, JSON; empty: none
  bool dry_run = false;
  std::string approval;          // the approval that the agent names, 32 hex digits; empty: none
  std::chrono::seconds wait{0};  // Prefer: wait=N (RFC 7240 §4.3), for an approval
  ledger::ClaimedContext context;
  std::string trace;  // trace id of a W3C traceparent header, 32 hex digits; empty: none
};

/// Scopes of one resource, in Entra's terms.
struct RequestedScopes {
  std::string resource;            // "https://graph.microsoft.com" (no trailing slash)
  std::vector<std::string> names;  // sorted, unique: {"Mail.Read"}; empty with is_default
  bool is_default = false;         // ".default"
};

/// Splits scopes into resource and names. A short name means Microsoft Graph, whose resource is
/// `graph_resource` (it differs by cloud). Refuses: none, too many, several resources, `.default`
/// together with names, OIDC scopes (openid, offline_access…), characters outside RFC 6749 §3.3.
std::expected<RequestedScopes, Refusal> ParseScopes(const std::vector<std::string>& scopes,
                                                    std::string_view graph_resource);

/// `claims` as the one text for all its spellings, so that white space or escapes make no second
/// token; empty for empty. Refuses with kInvalidClaims what is no JSON object, and `xms_cc`: it
/// would make Entra mint a token of 20 to 28 hours (continuous access evaluation), where an agent's
/// tokens are short-lived.
std::expected<std::string, Refusal> CanonicalClaims(const std::string& claims);

/// The same with `xms_cc` saying that the client answers claims challenges ("cp1"), for rules that
/// ask for continuous access evaluation. REQUIRES: `canonical` is what CanonicalClaims returned.
std::string WithContinuousAccess(const std::string& canonical);
/// Whether WithContinuousAccess made them.
bool AsksForContinuousAccess(const std::string& canonical);

}  // namespace broker
