#include "broker/entra/upstream_error.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "broker/base/strict_json.h"

namespace broker::entra {
namespace {

using nlohmann::json;
using enum ErrorClass;

// clang-format off
constexpr auto kErrorClasses = std::to_array<ErrorClassInfo>({
    {kTransient,   Reason::kUpstreamUnavailable,  true },
    {kThrottled,   Reason::kUpstreamThrottled,    false},
    {kGrantDead,   Reason::kLoginRequired,        false},
    {kInteraction, Reason::kInteractionRequired,  false},
    {kConsent,     Reason::kConsentRequired,      false},
    {kPolicy,      Reason::kConditionalAccess,    false},
    {kPrincipal,   Reason::kPrincipalDisabled,    false},
    {kCredential,  Reason::kCredentialRejected,   false},
    {kBadRequest,  Reason::kUpstreamRejected,     false},
    {kPending,     Reason::kLoginRequired,        false},
    {kSlowDown,    Reason::kLoginRequired,        false},
    {kDeclined,    Reason::kLoginRequired,        false},
    {kCodeExpired, Reason::kLoginRequired,        false},
    {kInvalid,     Reason::kUpstreamInvalid,      false},
});

// Numbers first: `invalid_grant` alone says too little (a throttled loop arrives under that name).
// Source: "Microsoft Entra authentication and authorization error codes".
constexpr auto kErrorTable = std::to_array<ErrorRow>({
    // AADSTS    suberror  error  class
    {   90033,   "",       "",    kTransient  },  // a service is temporarily unavailable
    {   90006,   "",       "",    kTransient  },
    {   90012,   "",       "",    kTransient  },  // request timed out
    {   90024,   "",       "",    kTransient  },
    {   90090,   "",       "",    kTransient  },
    {   50033,   "",       "",    kTransient  },  // retryable, says its own name
    {   50087,   "",       "",    kTransient  },
    {   90055,   "",       "",    kThrottled  },  // too many requests from this tenant
    {   50196,   "",       "",    kThrottled  },  // a client that loops; arrives as invalid_grant
    {   50173,   "",       "",    kGrantDead  },  // revoked, or the password changed
    {  700082,   "",       "",    kGrantDead  },  // unused for too long
    {   70008,   "",       "",    kGrantDead  },
    {   70043,   "",       "",    kGrantDead  },  // sign-in frequency
    {   50132,   "",       "",    kGrantDead  },
    {   50133,   "",       "",    kGrantDead  },
    {   50076,   "",       "",    kInteraction},  // multi-factor authentication
    {   50079,   "",       "",    kInteraction},
    {   50074,   "",       "",    kInteraction},
    {   50078,   "",       "",    kInteraction},
    {  700020,   "",       "",    kInteraction},
    {   65001,   "",       "",    kConsent    },
    {   65004,   "",       "",    kConsent    },
    {   90094,   "",       "",    kConsent    },  // an administrator must consent
    {   90095,   "",       "",    kConsent    },
    {  650056,   "",       "",    kConsent    },
    {   53003,   "",       "",    kPolicy     },
    {   53000,   "",       "",    kPolicy     },
    {   53001,   "",       "",    kPolicy     },
    {  530032,   "",       "",    kPolicy     },
    {   50105,   "",       "",    kPolicy     },  // user is not assigned to the application
    {   50057,   "",       "",    kPrincipal  },  // user disabled
    {   50034,   "",       "",    kPrincipal  },  // no such user
    { 7000112,   "",       "",    kPrincipal  },  // application disabled
    {   70001,   "",       "",    kPrincipal  },
    {  700016,   "",       "",    kPrincipal  },  // no such application
    { 7000222,   "",       "",    kCredential },  // client secret expired
    { 7000215,   "",       "",    kCredential },  // client secret wrong
    {   70002,   "",       "",    kCredential },
    {  700027,   "",       "",    kCredential },  // the assertion's signature
    {  700024,   "",       "",    kCredential },  // the assertion's time range
    { 7000214,   "",       "",    kCredential },  // certificate revoked
    { 7000277,   "",       "",    kCredential },
    { 1000502,   "",       "",    kCredential },  // certificate outside its validity
    {  700211,   "",       "",    kCredential },  // no matching federated credential
    {   70021,   "",       "",    kCredential },
    {   70011,   "",       "",    kBadRequest },  // scope
    {  700022,   "",       "",    kBadRequest },  // several resources
    {  900144,   "",       "",    kBadRequest },  // a parameter is missing
    {  500011,   "",       "",    kBadRequest },  // no such resource in the tenant
    {       0,   "consent_required",      "",   kConsent    },
    {       0,   "user_password_expired", "",   kInteraction},
    {       0,   "basic_action",          "",   kInteraction},
    {       0,   "additional_action",     "",   kInteraction},
    {       0,   "bad_token",             "",   kGrantDead  },
    {       0,   "token_expired",         "",   kGrantDead  },
    {       0,   "message_only",          "",   kPolicy     },
    {       0,   "",  "authorization_pending",     kPending    },
    {       0,   "",  "slow_down",                 kSlowDown   },
    {       0,   "",  "authorization_declined",    kDeclined   },
    {       0,   "",  "access_denied",             kDeclined   },
    {       0,   "",  "expired_token",             kCodeExpired},
    {       0,   "",  "bad_verification_code",     kBadRequest },
    {       0,   "",  "temporarily_unavailable",   kTransient  },
    {       0,   "",  "server_error",              kTransient  },
    {       0,   "",  "interaction_required",      kInteraction},
    {       0,   "",  "login_required",            kInteraction},
    {       0,   "",  "consent_required",          kConsent    },
    {       0,   "",  "invalid_grant",             kGrantDead  },
    {       0,   "",  "invalid_client",            kCredential },
    {       0,   "",  "unauthorized_client",       kPrincipal  },
    {       0,   "",  "invalid_scope",             kBadRequest },
    {       0,   "",  "invalid_request",           kBadRequest },
    {       0,   "",  "invalid_resource",          kBadRequest },
    {       0,   "",  "unsupported_grant_type",    kBadRequest },
});
// clang-format on

constexpr bool RowsFollowTheEnum() {
  for (size_t i = 0; i < kErrorClasses.size(); ++i) {
    if (static_cast<size_t>(kErrorClasses[i].error_class) != i) return false;
  }
  return kErrorClasses.size() == static_cast<size_t>(kInvalid) + 1;
}
static_assert(RowsFollowTheEnum());

constexpr int kTooManyRequests = 429;
constexpr int kServerErrors = 500;
constexpr size_t kMaxCodes = 4;  // Entra sends one; more would only lengthen the log line

struct Body {
  std::string error, suberror, correlation_id, claims;
  std::vector<int32_t> codes;
};

// Only what looks like a protocol word may reach the log: prose and personal data do not.
std::string Word(const json& object, const char* name, std::string_view alphabet, size_t longest) {
  const auto it = object.find(name);
  if (it == object.end() || !it->is_string()) return {};
  const auto& text = it->get_ref<const std::string&>();
  const bool plain = text.size() <= longest && text.find_first_not_of(alphabet) == text.npos;
  return plain ? text : std::string();
}

// Read and written anew: what is passed on is JSON, whatever came.
std::string Claims(const json& object) {
  const auto it = object.find("claims");
  if (it == object.end() || !it->is_string()) return {};
  const auto& text = it->get_ref<const std::string&>();
  const auto parsed = text.size() <= kMaxClaimsBytes ? ParseStrictJson(text)
                                                     : Fail(ErrorCode::kInvalidRequest, "too long");
  if (!parsed || !parsed->is_object()) return {};
  std::string claims = parsed->dump(-1, ' ', /*ensure_ascii=*/true);
  return claims.size() <= kMaxClaimsBytes ? claims : std::string();
}

Body ReadBody(const Secret& bytes) {
  constexpr std::string_view kProtocolWord = "abcdefghijklmnopqrstuvwxyz_";
  constexpr std::string_view kGuid = "0123456789abcdefABCDEF-";
  const auto parsed = ParseStrictJson(bytes.Expose(Exit::kInspectClaims), {.allow_floats = true});
  Body body;
  if (!parsed || !parsed->is_object()) return body;
  body.error = Word(*parsed, "error", kProtocolWord, 40);
  body.suberror = Word(*parsed, "suberror", kProtocolWord, 40);
  body.correlation_id = Word(*parsed, "correlation_id", kGuid, 36);
  body.claims = Claims(*parsed);
  const auto codes = parsed->find("error_codes");
  if (codes == parsed->end() || !codes->is_array()) return body;
  for (const json& code : *codes) {
    if (body.codes.size() == kMaxCodes || !code.is_number_unsigned()) break;
    const auto number = code.get<uint64_t>();
    if (number > 0 && number <= INT32_MAX) body.codes.push_back(static_cast<int32_t>(number));
  }
  return body;
}

bool Matches(const ErrorRow& row, const Body& body) {
  if (row.aadsts != 0) return std::ranges::find(body.codes, row.aadsts) != body.codes.end();
  if (!row.suberror.empty()) return row.suberror == body.suberror;
  return row.error == body.error;
}

ErrorClass Classify(int status, const Body& body) {
  if (status == kTooManyRequests) return kThrottled;
  const auto row =
      std::ranges::find_if(kErrorTable, [&](const ErrorRow& r) { return Matches(r, body); });
  const ErrorClass said = row == kErrorTable.end() ? kBadRequest : row->error_class;
  // A server that is in trouble says little about the request, whatever word it found for it.
  if (status >= kServerErrors && said != kThrottled) return kTransient;
  return said;
}

std::string DetailOf(int status, const Body& body) {
  std::string detail = "Entra answered " + std::to_string(status);
  for (const std::string* word : {&body.error, &body.suberror}) {
    if (!word->empty()) detail += " " + *word;
  }
  for (const int32_t code : body.codes) detail += " AADSTS" + std::to_string(code);
  if (!body.correlation_id.empty()) detail += " correlation " + body.correlation_id;
  return detail;
}

}  // namespace

const ErrorClassInfo& Describe(ErrorClass error_class) {
  return kErrorClasses.at(static_cast<size_t>(error_class));
}
std::span<const ErrorRow> ErrorTable() { return kErrorTable; }

UpstreamError ReadUpstreamError(const HttpResponse& response) {
  Body body = ReadBody(response.body);
  UpstreamError error{Classify(response.status, body), response.retry_after,
                      DetailOf(response.status, body)};
  if (!body.codes.empty()) error.aadsts = body.codes.front();
  if (error.error_class == kInteraction) error.claims = std::move(body.claims);
  if (error.error_class == kThrottled && !error.retry_after) error.retry_after = kDefaultRetryAfter;
  if (error.retry_after) {
    error.retry_after = std::clamp(*error.retry_after, std::chrono::seconds{0}, kMaxRetryAfter);
  }
  return error;
}

ErrorClass ClassOfWord(std::string_view error) {
  const auto row =
      std::ranges::find_if(kErrorTable, [&](const ErrorRow& r) { return r.error == error; });
  return error.empty() || row == kErrorTable.end() ? kBadRequest : row->error_class;
}

UpstreamError ReadTransportError(const Error& error) {
  switch (error.code) {
    case ErrorCode::kUnavailable:
      return {kTransient, std::nullopt, error.detail};
    case ErrorCode::kDenied:  // the dialer does not know the host: a matter of configuration
    case ErrorCode::kInvalidRequest:
      return {kBadRequest, std::nullopt, error.detail};
    case ErrorCode::kNotFound:
    case ErrorCode::kCorrupt:
    case ErrorCode::kConflict:
      break;
  }
  return {kInvalid, std::nullopt, error.detail};
}

}  // namespace broker::entra
