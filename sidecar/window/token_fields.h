// sidecar/window/token_fields.h: the fields of a token request, the same in JSON and in a form.
// Pure.
#pragma once
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "broker/reason.h"
#include "broker/token_request.h"

namespace sidecar::window {

using Checked = std::expected<void, broker::Refusal>;

/// A token request while its fields are read.
struct TokenDraft {
  broker::TokenRequest request;
  bool has_scopes = false;
};

/// Each sets one field, or refuses with a hint that names it and what to send.
Checked SetScopes(std::vector<std::string> scopes, TokenDraft* draft);
Checked SetScopeText(std::string_view text, TokenDraft* draft);  // "Mail.Read User.Read"
Checked SetMinValidity(int64_t seconds, TokenDraft* draft);
Checked SetClaims(const std::string& claims, TokenDraft* draft);
Checked SetApproval(std::string_view id, TokenDraft* draft);
Checked SetUserAssertion(std::string& token, TokenDraft* draft);  // wipes and empties `token`

/// The field's name in quotes, if it is a plain one, for a hint: it goes back into a model's
/// context.
std::string Named(std::string_view field);

/// The two bodies of POST /v1/token.
std::expected<TokenDraft, broker::Refusal> ReadTokenJson(std::string_view body);
std::expected<TokenDraft, broker::Refusal> ReadTokenForm(std::string_view body);

/// A refusal that tells the fault of a document from ParseStrictJson's detail.
std::unexpected<broker::Refusal> NotJson(std::string_view detail);

}  // namespace sidecar::window
