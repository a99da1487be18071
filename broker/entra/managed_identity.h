// broker/entra/managed_identity.h: tokens of the machine's own identity, from endpoints that Azure
// puts beside the workload. Pure: requests and answers.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "broker/base/result.h"
#include "broker/base/secret.h"
#include "broker/entra/token_response.h"
#include "broker/entra/upstream_error.h"
#include "broker/ports/clock.h"
#include "broker/ports/http_transport.h"

namespace broker::entra {

/// Which endpoint, and whose token. Plain http: the endpoints are on this machine or its own link.
struct ManagedIdentityAsk {
  std::string endpoint;  // "http://169.254.169.254/metadata/identity/oauth2/token", no query
  std::string resource;  // an audience, not a scope: "https://graph.microsoft.com"
  /// {"client_id" | "object_id" | "msi_res_id" | "mi_res_id", value}; empty: the system-assigned.
  std::pair<std::string, std::string> selector;
};

// Azure Instance Metadata Service, "Acquire an access token"; it needs no secret but the header.
HttpRequest ImdsRequest(const ManagedIdentityAsk& ask);
/// App Service and Functions, protocol of 2019-08-01; `header` is the value of IDENTITY_HEADER.
HttpRequest AppServiceRequest(const ManagedIdentityAsk& ask, const Secret& header);
/// Azure Arc (HIMDS). Without `key` the endpoint answers 401 and names the file that holds one.
HttpRequest ArcRequest(const ManagedIdentityAsk& ask, const Secret* key);

// What the Arc agent writes: whoever may read it is allowed to ask. The agent's own limit.
inline constexpr size_t kMaxArcKeyBytes = 4096;
/// The key file that a 401 names: `Basic realm=PATH`. Only a file directly in `folder` whose name
/// is plain and ends with .key: nothing else on this machine is read because an endpoint says so.
/// Errors: kCorrupt; the detail never quotes the challenge.
Result<std::string> ArcKeyPath(std::string_view www_authenticate, std::string_view folder);

/// Reads a 200: lifetimes are decimal strings or numbers, and some endpoints give `expires_on`
/// alone. `now` is the wall clock. Errors: kCorrupt; the detail names the field, never bytes.
Result<TokenResponse> ReadManagedIdentityToken(const Secret& body, Clock::Wall now);

// "IMDS will be available within 70 seconds" is what 410 means.
inline constexpr std::chrono::seconds kImdsUpdate{70};
// For a 429 that does not say: the endpoint counts requests per second.
inline constexpr std::chrono::seconds kImdsThrottle{5};
/// Reads any other status: 404, 408 and 5xx are transient, 410 and 429 wait, 400 is an identity
/// that this machine does not have, 401 and 403 a header or key that was refused. Body and prose
/// are not looked at.
UpstreamError ReadManagedIdentityError(const HttpResponse& response);

}  // namespace broker::entra
