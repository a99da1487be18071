// broker/entra/upstream_error.h: what an error of Entra means for purser.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "broker/ports/http_transport.h"
#include "broker/reason.h"

namespace broker::entra {

/// By what purser does about it. kErrorClasses (upstream_error.cc) has one row each.
enum class ErrorClass : uint8_t {
  kTransient,    // retry once with jitter, count for the circuit breaker
  kThrottled,    // no request before Retry-After has passed
  kGrantDead,    // the refresh token has ended: never tried again until a new login
  kInteraction,  // Entra wants the person: multi-factor, new password
  kConsent,
  kPolicy,       // Conditional Access and the like: a login will not help
  kPrincipal,    // user or application disabled or unknown
  kCredential,   // client secret or assertion refused
  kBadRequest,   // the configuration asks for something that does not exist
  kPending,      // device code: the person is not done
  kSlowDown,     // device code: ask less often
  kDeclined,     // device code: the person said no
  kCodeExpired,  // device code: too late
  kInvalid,      // not an answer of an OAuth server
};

struct ErrorClassInfo {
  ErrorClass error_class;
  Reason reason;    // retryable and action follow from its row in reason.cc
  bool retry_once;  // in the same request
};
const ErrorClassInfo& Describe(ErrorClass error_class);

/// One row of the table: the first that matches decides. Zero and empty match anything.
struct ErrorRow {
  int32_t aadsts;  // of error_codes[]
  std::string_view suberror;
  std::string_view error;  // RFC 6749 §5.2, OpenID Connect Core §3.1.2.6, RFC 8628 §3.5
  ErrorClass error_class;
};
std::span<const ErrorRow> ErrorTable();

struct UpstreamError {
  ErrorClass error_class = ErrorClass::kBadRequest;
  /// As sent, at most kMaxRetryAfter; with kThrottled always set.
  std::optional<std::chrono::seconds> retry_after;
  /// For the operator: status, error, suberror, AADSTS numbers and correlation id. Never prose.
  std::string detail;
  /// With kInteraction: the claims that the person's sign-in must fulfil, a JSON object in
  /// canonical form, at most kMaxClaimsBytes; else, and where it is no such object, empty.
  std::string claims = {};
  int32_t aadsts = 0;  // the first number of error_codes[]; 0 where there is none
};

// As long as what an agent may pass on.
inline constexpr size_t kMaxClaimsBytes = 4096;
// As Microsoft's own client library does: a longer wait is not believed.
inline constexpr std::chrono::seconds kMaxRetryAfter{3600};
// For a 429 that does not say; Entra's application flows usually send this.
inline constexpr std::chrono::seconds kDefaultRetryAfter{60};

/// Reads an answer whose status is not 200. Never fails: a body that is no OAuth error is judged by
/// its status alone. Any 5xx can be tried again, whatever its body says.
UpstreamError ReadUpstreamError(const HttpResponse& response);
/// The same for an exchange that brought no answer at all.
UpstreamError ReadTransportError(const Error& error);
/// What the error word of a redirect means (RFC 6749 §4.1.2.1).
ErrorClass ClassOfWord(std::string_view error);

}  // namespace broker::entra
