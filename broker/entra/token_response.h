// broker/entra/token_response.h: a successful answer of the token endpoint (RFC 6749 §5.1).
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"
#include "broker/base/secret.h"

namespace broker::entra {

struct TokenResponse {
  // Entra's longest life is 28 h (continuous access evaluation); a week is nonsense.
  static constexpr std::chrono::seconds kMaxLife{7 * 24 * 3600};

  Secret access_token;
  Secret refresh_token;  // empty: none was sent
  std::chrono::seconds expires_in{0};
  std::optional<std::chrono::seconds> refresh_in;
  /// `scope` as sent, split and without the resource prefix, `.default` and the OIDC scopes. What
  /// Entra granted, which may be more than what was asked for. Empty for applications.
  std::vector<std::string> granted;
};

/// Errors: kCorrupt for whatever is not such an answer; the detail names the field, never bytes.
/// `resource` is what was asked for ("https://graph.microsoft.com").
Result<TokenResponse> ReadTokenResponse(const Secret& body, std::string_view resource);

}  // namespace broker::entra
