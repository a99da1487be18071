#include "sidecar/window/token_fields.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "broker/base/strict_json.h"

namespace sidecar::window {

using broker::Reason, broker::Refuse, broker::Refusal, broker::TokenRequest;

Checked SetScopes(std::vector<std::string> scopes, TokenDraft* draft) {
  if (std::exchange(draft->has_scopes, true)) {
    return Refuse(Reason::kDuplicateField, "Send scopes or scope, not both.");
  }
  if (scopes.empty() || scopes.size() > TokenRequest::kMaxScopes) {
    return Refuse(Reason::kValueOutOfRange, "Send 1 to 64 scopes, e.g. [\"Mail.Read\"].");
  }
  const bool fit = std::ranges::all_of(scopes, [](const std::string& scope) {
    return !scope.empty() && scope.size() <= TokenRequest::kMaxScopeBytes;
  });
  if (!fit) {
    return Refuse(
        Reason::kInvalidScope,
        "A scope has 1 to 256 characters, e.g. Mail.Read; one space between two of them.");
  }
  draft->request.scopes = std::move(scopes);
  return {};
}

Checked SetScopeText(std::string_view text, TokenDraft* draft) {
  std::vector<std::string> scopes;
  while (scopes.size() <= TokenRequest::kMaxScopes) {
    const size_t space = text.find(' ');
    scopes.emplace_back(text.substr(0, space));
    if (space == std::string_view::npos) break;
    text.remove_prefix(space + 1);
  }
  return SetScopes(std::move(scopes), draft);
}

Checked SetMinValidity(int64_t seconds, TokenDraft* draft) {
  if (seconds < 0 || seconds > TokenRequest::kMaxMinValidity) {
    return Refuse(Reason::kValueOutOfRange, "min_validity is 0 to 3600 seconds.");
  }
  draft->request.min_validity = std::chrono::seconds(seconds);
  return {};
}

Checked SetClaims(const std::string& claims, TokenDraft* draft) {
  if (claims.size() > TokenRequest::kMaxClaimsBytes) {
    return Refuse(Reason::kValueOutOfRange, "claims has at most 4096 bytes.");
  }
  const auto parsed = broker::ParseStrictJson(claims);
  if (!parsed || !parsed->is_object()) {
    return Refuse(
        Reason::kInvalidClaims,
        "claims is a string that holds a JSON object, decoded from the challenge's base64.");
  }
  draft->request.claims = claims;
  return {};
}

Checked SetApproval(std::string_view id, TokenDraft* draft) {
  const bool fits =
      id.size() == TokenRequest::kApprovalIdBytes && std::ranges::all_of(id, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
      });
  if (!fits) {
    return Refuse(Reason::kValueOutOfRange,
                  "approval is the id of one, as an answer gave it: 32 hex digits.");
  }
  draft->request.approval = id;
  return {};
}

// What is in it is for the broker, which alone has the keys to verify it with.
Checked SetUserAssertion(std::string& token, TokenDraft* draft) {
  if (token.empty() || token.size() > TokenRequest::kMaxUserAssertionBytes) {
    return Refuse(Reason::kValueOutOfRange,
                  "user_assertion is the user's token, of at most 16384 bytes.");
  }
  draft->request.user_assertion =
      std::make_shared<const broker::Secret>(broker::Secret::TakeFrom(token));
  return {};
}

std::string Named(std::string_view field) {
  constexpr size_t kLongest = 40;
  const bool plain = field.size() <= kLongest && std::ranges::all_of(field, [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
                     });
  return plain && !field.empty() ? '"' + std::string(field) + '"' : "the unknown field";
}

std::unexpected<Refusal> NotJson(std::string_view detail) {
  if (detail == broker::kDuplicateKey) {
    return Refuse(Reason::kDuplicateField, "Send each field once.");
  }
  if (detail == broker::kNotAnInteger) {
    return Refuse(Reason::kWrongType, "Numbers are integers of at most 64 bits.");
  }
  return Refuse(Reason::kMalformedJson, "Send e.g. {\"scopes\":[\"Mail.Read\"]}.");
}

}  // namespace sidecar::window
