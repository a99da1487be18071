// POST /v1/token with a form, as OAuth libraries send it.
#include <algorithm>
#include <charconv>

#include "sidecar/window/form.h"
#include "sidecar/window/token_fields.h"

namespace sidecar::window {
namespace {

using broker::Reason, broker::Refuse, broker::Refusal;

Checked ReadFormField(std::string_view name, std::string& value, TokenDraft* draft) {
  if (name == "grant_type") {
    if (value == "client_credentials") return {};
    return Refuse(Reason::kUnsupportedGrantType);
  }
  if (name == "scope") return SetScopeText(value, draft);
  if (name == "claims") return SetClaims(value, draft);
  if (name == "user_assertion") return SetUserAssertion(value, draft);
  // OAuth libraries cannot help sending one. It is no identity here, so any will do.
  if (name == "client_id") return {};
  if (name == "client_secret" && value.empty()) return {};
  if (name == "client_secret" || name.starts_with("client_assertion")) {
    return Refuse(Reason::kClientSecretSent);
  }
  if (name == "min_validity") {
    int64_t seconds = -1;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (error != std::errc{} || end != value.data() + value.size()) {
      return Refuse(Reason::kWrongType, "min_validity is a number of seconds, e.g. 300.");
    }
    return SetMinValidity(seconds, draft);
  }
  return Refuse(Reason::kUnknownField,
                "Remove " + Named(name) +
                    "; a form has grant_type, scope, client_id, min_validity, claims and "
                    "user_assertion.");
}

}  // namespace

std::expected<TokenDraft, Refusal> ReadTokenForm(std::string_view body) {
  auto fields = ParseForm(body);
  if (!fields) return std::unexpected(fields.error());
  const bool granted =
      std::ranges::any_of(*fields, [](const auto& field) { return field.first == "grant_type"; });
  if (!granted) return Refuse(Reason::kMissingField, "Send grant_type=client_credentials.");
  TokenDraft draft;
  for (auto& [name, value] : *fields) {
    const Checked read = ReadFormField(name, value, &draft);
    if (!read) return std::unexpected(read.error());
  }
  return draft;
}

}  // namespace sidecar::window
