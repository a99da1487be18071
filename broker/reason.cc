#include "broker/reason.h"

#include <array>
#include <cstddef>

namespace broker {
namespace {

using enum Reason;

// clang-format off
constexpr auto kReasons = std::to_array<ReasonInfo>({
    {kMalformedRequest,      "malformed_request",      "invalid_request",          400, false, "none",    "The request is not one that this socket understands."},
    {kMalformedJson,         "malformed_json",         "invalid_request",          400, false, "none",    "The body is not a JSON object."},
    {kDuplicateField,        "duplicate_field",        "invalid_request",          400, false, "none",    "A field occurs twice."},
    {kUnknownField,          "unknown_field",          "invalid_request",          400, false, "none",    "A field is not known here; nothing is ignored."},
    {kWrongType,             "wrong_type",             "invalid_request",          400, false, "none",    "A field has the wrong type."},
    {kMissingField,          "missing_field",          "invalid_request",          400, false, "none",    "A required field is missing."},
    {kValueOutOfRange,       "value_out_of_range",     "invalid_request",          400, false, "none",    "A value is too long, too large or holds characters that are not allowed."},
    {kMixedResources,        "mixed_resources",        "invalid_scope",            400, false, "none",    "The scopes belong to several resources; ask for one resource at a time."},
    {kInvalidScope,          "invalid_scope",          "invalid_scope",            400, false, "none",    "A scope is not written as a permission name, a full URI, or .default."},
    {kAmbiguousDefault,      "ambiguous_default",      "invalid_scope",            400, false, "none",    ".default does not name one token here; name the scopes."},
    {kClientSecretSent,      "client_secret_sent",     "invalid_request",          400, false, "none",    "Do not send a client_secret: the socket itself says who you are."},
    {kUnsupportedGrantType,  "unsupported_grant_type", "unsupported_grant_type",   400, false, "none",    "Only grant_type=client_credentials is served."},
    {kInvalidClaims,         "invalid_claims",         "invalid_request",          400, false, "none",    "claims is not a claims request in JSON."},
    {kInvalidUserAssertion,  "invalid_user_assertion", "invalid_grant",            400, false, "none",    "user_assertion is not a valid token of a user for this application; get a new one from the user's sign-in."},
    {kNotFound,              "not_found",              "invalid_request",          404, false, "none",    "There is no such route or name."},
    {kMethodNotAllowed,      "method_not_allowed",     "invalid_request",          405, false, "none",    "The route exists, with another method."},
    {kLengthRequired,        "length_required",        "invalid_request",          411, false, "none",    "Send a body and its Content-Length, both of which curl does with -d; chunked bodies are not read."},
    {kContentTooLarge,       "content_too_large",      "invalid_request",          413, false, "none",    "The body is larger than 64 KiB."},
    {kUnsupportedMediaType,  "unsupported_media_type", "invalid_request",          415, false, "none",    "Send application/json or application/x-www-form-urlencoded, not encoded further."},
    {kExpectationFailed,     "expectation_failed",     "invalid_request",          417, false, "none",    "Send the request without an Expect header."},
    {kHeadTooLarge,          "head_too_large",         "invalid_request",          431, false, "none",    "The request line and headers are larger than 8 KiB."},
    {kRequestTimeout,        "request_timeout",        "invalid_request",          408, true,  "none",    "The request did not arrive completely in time."},
    {kNoRule,                "no_rule",                "access_denied",            403, false, "none",    "Did not run. No rule grants this agent these scopes. Final. Do not retry."},
    {kNever,                 "never",                  "access_denied",            403, false, "none",    "Did not run. Policy never grants one of these scopes. Final. Do not retry."},
    {kPeerRefused,           "peer_refused",           "access_denied",            403, false, "admin",   "Did not run. The connecting process is not the agent that this socket serves. Start it as that agent, with `purser run`; `purser explain AGENT --refused` says what differs."},
    {kCallerGone,            "caller_gone",            "access_denied",            403, false, "none",    "Did not run. The process that connected has exited, or is let in no more."},
    {kKilled,                "killed",                 "access_denied",            403, false, "admin",   "Did not run. An operator has stopped this agent. Final. Do not retry."},
    {kRoleMissing,           "role_missing",           "access_denied",            403, false, "admin",   "Did not run. Your groups do not hold the role that this needs."},
    {kPersonRequired,        "person_required",        "interaction_required",     403, false, "login",   "Did not run. This needs a person who is signed in: purser login --as-operator."},
    {kOwnRequest,            "own_request",            "access_denied",            403, false, "none",    "Did not run. Nobody approves a request of their own."},
    {kApprovalPending,       "approval_pending",       "authorization_pending",    403, true,  "wait",    "Has not run yet. A person must approve it first; send the same request again after `interval` seconds."},
    {kApprovalDenied,        "approval_denied",        "access_denied",            403, false, "none",    "Did not run. A person has denied this request. Final. Do not retry."},
    {kApprovalExpired,       "approval_expired",       "access_denied",            403, false, "none",    "Did not run. Nobody approved it in time, or it was not used in time."},
    {kOverScoped,            "over_scoped",            "access_denied",            403, false, "admin",   "Did not run. Entra minted a token that can do more than this agent may; an administrator must use a registration consented to less. Do not retry."},
    {kMintedMismatch,        "minted_mismatch",        "access_denied",            403, false, "admin",   "Did not run. Entra minted a token for another audience, tenant, application, user or lifetime than configured. Do not retry."},
    {kLoginRequired,         "login_required",         "interaction_required",     403, false, "login",   "Did not run. The user's grant has ended; an operator must log in again. Do not retry."},
    {kInteractionRequired,   "interaction_required",   "interaction_required",     403, false, "login",   "Did not run. Entra asks the user to sign in interactively; an operator must log in again. Do not retry."},
    {kConsentRequired,       "consent_required",       "consent_required",         403, false, "consent", "Did not run. Consent is missing in Entra. Do not retry."},
    {kConditionalAccess,     "conditional_access",     "access_denied",            403, false, "admin",   "Did not run. A policy of the tenant blocks this sign-in. Do not retry."},
    {kPrincipalDisabled,     "principal_disabled",     "access_denied",            403, false, "admin",   "Did not run. The user or application is disabled or unknown in Entra. Do not retry."},
    {kCredentialRejected,    "credential_rejected",    "invalid_client",           403, false, "admin",   "Did not run. Entra rejects the application's credential. Do not retry."},
    {kCredentialNotEnrolled, "credential_not_enrolled", "interaction_required",    403, false, "login",   "Did not run. The credential has not been enrolled yet; an operator must do so. Do not retry."},
    {kCredentialUnavailable, "credential_unavailable", "access_denied",            403, false, "admin",   "Did not run. The vault that keeps the credential does not give it out: it is disabled, expired, not valid yet, deleted, missing, or not purser's to read; an administrator must mend that. Do not retry."},
    {kCredentialRevoked,     "credential_revoked",     "access_denied",            403, false, "admin",   "Did not run. An operator has revoked the credential behind this. Final. Do not retry."},
    {kTornDown,              "torn_down",              "access_denied",            403, false, "none",    "Did not run. This installation of purser was torn down. Final. Do not retry."},
    {kConflict,              "conflict",               "invalid_request",          409, false, "none",    "That does not go with how things stand now; look again."},
    {kApprovalMismatch,      "approval_mismatch",      "invalid_request",          409, false, "none",    "Did not run. That approval is used up, being used, or not for this request."},
    {kBudget,                "budget",                 "temporarily_unavailable",  429, true,  "wait",    "Did not run. This agent's budget is used up; wait as Retry-After says."},
    {kApprovalLimit,         "approval_limit",         "temporarily_unavailable",  429, true,  "wait",    "Did not run. This agent has asked for too many approvals; wait as Retry-After says."},
    {kUpstreamInvalid,       "upstream_invalid",       "server_error",             502, false, "admin",   "Did not run. Entra's answer could not be understood."},
    {kUpstreamRejected,      "upstream_rejected",      "server_error",             502, false, "admin",   "Did not run. Entra rejects the request as configured; an administrator must mend the configuration. Do not retry."},
    {kUpstreamUnavailable,   "upstream_unavailable",   "temporarily_unavailable",  503, true,  "wait",    "Did not run. Entra cannot be reached; wait before trying again."},
    {kUpstreamThrottled,     "upstream_throttled",     "temporarily_unavailable",  503, true,  "wait",    "Did not run. Entra asks to wait as Retry-After says."},
    {kLedgerUnavailable,     "ledger_unavailable",     "temporarily_unavailable",  503, true,  "admin",   "Did not run. The audit ledger cannot be written; nothing is released without it."},
    {kSealed,                "sealed",                 "temporarily_unavailable",  503, true,  "admin",   "Did not run. The store of secrets is sealed; an operator must unseal it."},
    {kStoreUnavailable,      "store_unavailable",      "temporarily_unavailable",  503, true,  "admin",   "Did not run. The store of secrets cannot be read."},
    {kOverloaded,            "overloaded",             "temporarily_unavailable",  503, true,  "wait",    "Did not run. Too much is under way for this agent."},
    {kRestarting,            "restarting",             "temporarily_unavailable",  503, true,  "wait",    "Did not run. A part of purser is restarting; try again in a moment."},
    {kInternal,              "internal",               "server_error",             500, false, "admin",   "Did not run. purser failed in a way that it did not expect."},
});
// clang-format on

constexpr bool RowsFollowTheEnum() {
  for (size_t i = 0; i < kReasons.size(); ++i) {
    if (static_cast<size_t>(kReasons[i].reason) != i) return false;
  }
  return kReasons.size() == static_cast<size_t>(kInternal) + 1;
}
static_assert(RowsFollowTheEnum());

}  // namespace

const ReasonInfo& Describe(Reason reason) { return kReasons.at(static_cast<size_t>(reason)); }
std::span<const ReasonInfo> AllReasons() { return kReasons; }

}  // namespace broker
