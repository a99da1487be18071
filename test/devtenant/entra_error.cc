#include "test/devtenant/entra_error.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <string_view>

#include "test/devtenant/encoding.h"

namespace devtenant {
namespace {

struct Row {
  int code;
  int status;
  std::string_view error;
  std::string_view suberror;
  std::string_view text;
};

// clang-format off
constexpr auto kRows = std::to_array<Row>({
    {28002,    400, "invalid_scope",          "", "The scope is not one of the requested resource."},
    {50011,    400, "invalid_request",        "", "The redirect URI is none of the application's."},
    {50013,    400, "invalid_grant",          "", "The assertion is not a valid token of a user for this application."},
    {50034,    400, "invalid_grant",          "", "The user account does not exist in the directory."},
    {50057,    400, "invalid_grant",          "", "The user account is disabled."},
    {50076,    400, "interaction_required",   "basic_action", "Multifactor authentication is required to access the resource."},
    {50149,    400, "invalid_request",        "", "The code challenge method is not S256."},
    {50173,    400, "invalid_grant",          "bad_token", "The grant was revoked and a fresh one is needed. The user might have changed or reset their password."},
    {50196,    400, "invalid_grant",          "", "A client loop has been detected."},
    {53003,    400, "invalid_grant",          "message_only", "Access has been blocked by Conditional Access policies."},
    {54005,    400, "invalid_grant",          "", "The authorization code was already redeemed."},
    {65001,    400, "invalid_grant",          "consent_required", "The user or administrator has not consented to use the application."},
    {65004,    400, "authorization_declined", "", "The user declined."},
    {70000,    400, "invalid_grant",          "", "The grant is malformed or unknown."},
    {70003,    400, "unsupported_grant_type", "", "The grant type is not supported."},
    {70005,    400, "unsupported_response_type", "", "The response type is not supported."},
    {70007,    400, "invalid_request",        "", "The response mode is not supported."},
    {70008,    400, "invalid_grant",          "", "The grant has expired due to inactivity."},
    {70011,    400, "invalid_scope",          "", "The value of 'scope' is not valid."},
    {70016,    400, "authorization_pending",  "", "The request has not been authorized by the user yet."},
    {70018,    400, "bad_verification_code",  "", "The device code is not known."},
    {70019,    400, "expired_token",          "", "The device code has expired."},
    {90002,    400, "invalid_request",        "", "The tenant was not found."},
    {90024,    500, "server_error",           "", "A transient error has occurred. Please try again."},
    {90033,    503, "temporarily_unavailable", "", "A transient error has occurred. Please try again."},
    {90055,    429, "invalid_request",        "", "There are too many requests."},
    {82001,    400, "invalid_request",        "", "An agent identity cannot be asked for this way."},
    {500011,   400, "invalid_resource",       "", "The resource principal was not found in the tenant."},
    {500112,   400, "invalid_client",         "", "The redirect URI is not the one with which the code was asked for."},
    {500133,   400, "invalid_grant",          "", "The assertion is not within its valid time range."},
    {501481,   400, "invalid_grant",          "", "The code verifier does not match the code challenge."},
    {501491,   400, "invalid_request",        "", "The code challenge has no valid size."},
    {700016,   400, "unauthorized_client",    "", "The application was not found in the directory."},
    {700021,   401, "invalid_client",         "", "The assertion's issuer or subject is not the client_id."},
    {700022,   400, "invalid_scope",          "", "The scope contains more than one resource."},
    {700023,   401, "invalid_client",         "", "The assertion's audience is not this token endpoint."},
    {700024,   401, "invalid_client",         "", "The assertion is not within its valid time range."},
    {700025,   401, "invalid_client",         "", "The client is public, so neither 'client_assertion' nor 'client_secret' should be presented."},
    {700027,   401, "invalid_client",         "", "The assertion's signature could not be verified with a certificate of this application."},
    {700082,   400, "invalid_grant",          "", "The refresh token has expired due to inactivity."},
    {900144,   400, "invalid_request",        "", "The request body must contain a parameter that is missing."},
    {900971,   400, "invalid_request",        "", "No redirect URI was provided."},
    {700211,   401, "invalid_client",         "", "No federated identity record was found for the assertion's issuer."},
    {700212,   401, "invalid_client",         "", "No federated identity record was found for the assertion's audience."},
    {700213,   401, "invalid_client",         "", "No federated identity record was found for the assertion's subject."},
    {1002012,  400, "invalid_scope",          "", "Client credential flows must have a scope that ends with /.default."},
    {7000112,  400, "unauthorized_client",    "", "The application is disabled."},
    {7000114,  400, "invalid_grant",          "", "The application is not allowed to make on-behalf-of calls with an application's token."},
    {7000215,  401, "invalid_client",         "", "Invalid client secret provided."},
    {7000218,  401, "invalid_client",         "", "The request body must contain 'client_assertion' or 'client_secret'."},
    {7000222,  401, "invalid_client",         "", "The provided client secret keys are expired."},
    {9002313,  400, "invalid_request",        "", "The request is malformed or invalid."},
});
// clang-format on

std::string Timestamp() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%SZ", &utc)};
}

Row RowOf(int code) {
  const auto* row = std::ranges::find(kRows, code, &Row::code);
  return row == kRows.end() ? Row{code, 400, "invalid_request", "", "An error of a test."} : *row;
}

}  // namespace

Answer ErrorAnswer(const EntraError& error, const std::string& correlation_id) {
  const Row row = RowOf(error.code);
  const std::string trace_id = NewGuid();
  const std::string correlation = correlation_id.empty() ? NewGuid() : correlation_id;
  const std::string code = std::to_string(error.code);
  nlohmann::json body = {{"error", error.error.empty() ? std::string(row.error) : error.error},
                         {"error_description", "AADSTS" + code + ": " + std::string(row.text) +
                                                   " Trace ID: " + trace_id + " Correlation ID: " +
                                                   correlation + " Timestamp: " + Timestamp()},
                         {"error_codes", {error.code}},
                         {"timestamp", Timestamp()},
                         {"trace_id", trace_id},
                         {"correlation_id", correlation},
                         {"error_uri", "https://login.microsoftonline.com/error?code=" + code}};
  const std::string suberror = error.suberror.empty() ? std::string(row.suberror) : error.suberror;
  if (!suberror.empty()) body["suberror"] = suberror;
  if (!error.claims.empty()) body["claims"] = error.claims;
  return {.status = row.status, .body = body};
}

}  // namespace devtenant
