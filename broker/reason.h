// broker/reason.h: the closed list of reasons for which an agent or operator does not get
// something.
#pragma once
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "broker/base/result.h"

namespace broker {

/// Each has one row in kReasons (reason.cc) and one in sidecar/window/openapi.json; a test
/// compares.
enum class Reason {
  // 400: mend the request
  kMalformedRequest,
  kMalformedJson,
  kDuplicateField,
  kUnknownField,
  kWrongType,
  kMissingField,
  kValueOutOfRange,
  kMixedResources,
  kInvalidScope,
  kAmbiguousDefault,
  kClientSecretSent,
  kUnsupportedGrantType,
  kInvalidClaims,
  kInvalidUserAssertion,
  // as HTTP means them
  kNotFound,
  kMethodNotAllowed,
  kLengthRequired,
  kContentTooLarge,
  kUnsupportedMediaType,
  kExpectationFailed,
  kHeadTooLarge,
  kRequestTimeout,
  // 403: denied here
  kNoRule,
  kNever,
  kPeerRefused,
  kCallerGone,
  kKilled,
  kRoleMissing,
  kPersonRequired,
  kOwnRequest,
  kApprovalPending,
  kApprovalDenied,
  kApprovalExpired,
  kOverScoped,
  kMintedMismatch,
  // 403: Entra wants a person
  kLoginRequired,
  kInteractionRequired,
  kConsentRequired,
  kConditionalAccess,
  kPrincipalDisabled,
  kCredentialRejected,
  kCredentialNotEnrolled,
  kCredentialUnavailable,
  kCredentialRevoked,
  kTornDown,
  // 409
  kConflict,
  kApprovalMismatch,
  // 429
  kBudget,
  kApprovalLimit,
  // 502
  kUpstreamInvalid,
  kUpstreamRejected,
  // 503
  kUpstreamUnavailable,
  kUpstreamThrottled,
  kLedgerUnavailable,
  kSealed,
  kStoreUnavailable,
  kOverloaded,
  kRestarting,
  kInternal,
};

struct ReasonInfo {
  Reason reason;
  std::string_view name;   // "no_rule": stable, on the wire and in the ledger
  std::string_view error;  // RFC 6749 §5.2 or §4.1.2.1 / RFC 8628 §3.5 error code
  int http_status;
  bool retryable;
  std::string_view action;       // none | wait | login | consent | admin
  std::string_view description;  // for the model that reads it: what happened, whether to stop
};

/// The row of `reason`.
const ReasonInfo& Describe(Reason reason);
/// All rows, in the order of the enum.
std::span<const ReasonInfo> AllReasons();

/// The approval that a request waits for.
struct PendingApproval {
  std::string id;
  std::chrono::seconds interval{5};  // between two questions about it
  std::chrono::seconds expires_in{0};
};

/// Why a request was not served. What an agent sees of it: the reason's row and `hint`.
struct Refusal {
  Reason reason = Reason::kInternal;
  /// For the agent, appended to the row's description: what to send instead. Never upstream prose,
  /// never the configuration of others, never secret bytes.
  std::string hint;
  /// For the operator: a failed mint writes it to the log. Never secret bytes.
  std::string detail;
  std::optional<std::chrono::seconds> retry_after;
  /// For the agent: what the user's next sign-in must fulfil, a JSON object; empty: nothing is
  /// known.
  std::string claims = {};
  std::optional<PendingApproval> approval = {};  // with kApprovalPending
};

[[nodiscard]] inline std::unexpected<Refusal> Refuse(Reason reason, std::string hint = {},
                                                     std::string detail = {}) {
  return std::unexpected(Refusal{reason, std::move(hint), std::move(detail), std::nullopt});
}

}  // namespace broker
