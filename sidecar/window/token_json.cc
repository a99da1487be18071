// POST /v1/token with a JSON body.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "broker/base/inert_text.h"
#include "broker/base/strict_json.h"
#include "sidecar/window/token_fields.h"

namespace sidecar::window {
namespace {

using broker::Reason, broker::Refuse, broker::Refusal;
using nlohmann::json;

std::unexpected<Refusal> WrongType(const char* hint) { return Refuse(Reason::kWrongType, hint); }

Checked ReadScopes(const json& value, TokenDraft* draft) {
  const bool strings = value.is_array() && std::ranges::all_of(value, &json::is_string);
  if (!strings) return WrongType("scopes is a list of strings, e.g. [\"Mail.Read\"].");
  return SetScopes(value.get<std::vector<std::string>>(), draft);
}

Checked ReadScope(const json& value, TokenDraft* draft) {
  if (!value.is_string()) return WrongType("scope is a string, e.g. \"Mail.Read User.Read\".");
  return SetScopeText(value.get_ref<const std::string&>(), draft);
}

Checked ReadMinValidity(const json& value, TokenDraft* draft) {
  if (!value.is_number_integer())
    return WrongType("min_validity is a number of seconds, e.g. 300.");
  const bool fits = !value.is_number_unsigned() || value.get<uint64_t>() <= INT64_MAX;
  return SetMinValidity(fits ? value.get<int64_t>() : INT64_MAX, draft);
}

Checked ReadClaims(const json& value, TokenDraft* draft) {
  if (!value.is_string()) return WrongType("claims is a string that holds a JSON object.");
  return SetClaims(value.get_ref<const std::string&>(), draft);
}

// Out of the document first: it is wiped whatever is refused after it.
Checked TakeUserAssertion(json& root, TokenDraft* draft) {
  const auto found = root.find("user_assertion");
  if (found == root.end()) return {};
  if (!found->is_string()) return WrongType("user_assertion is a string, the user's token.");
  if (auto taken = SetUserAssertion(found->get_ref<std::string&>(), draft); !taken) return taken;
  root.erase(found);
  return {};
}

Checked ReadDryRun(const json& value, TokenDraft* draft) {
  if (!value.is_boolean()) return WrongType("dry_run is true or false.");
  draft->request.dry_run = value.get<bool>();
  return {};
}

Checked ReadApproval(const json& value, TokenDraft* draft) {
  if (!value.is_string()) return WrongType("approval is a string.");
  return SetApproval(value.get_ref<const std::string&>(), draft);
}

Checked ReadContext(const json& value, TokenDraft* draft) {
  if (!value.is_object()) return WrongType("context is an object of purpose, task, requested_by.");
  auto& context = draft->request.context;
  for (const auto& [name, text] : value.items()) {
    std::string* place = name == "purpose"        ? &context.purpose
                         : name == "task"         ? &context.task
                         : name == "requested_by" ? &context.requested_by
                                                  : nullptr;
    if (place == nullptr) {
      return Refuse(
          Reason::kUnknownField,
          "Remove " + Named(name) + " from context; it has purpose, task and requested_by.");
    }
    if (!text.is_string()) return WrongType("purpose, task and requested_by are strings.");
    *place = text.get<std::string>();
    if (!broker::IsInertText(*place)) {
      return Refuse(Reason::kValueOutOfRange,
                    "context." + name +
                        " has at most 200 characters, none of them a control, "
                        "line-separator or bidirectional character.");
    }
  }
  return {};
}

Checked RefuseSecret(const json& /*value*/, TokenDraft* /*draft*/) {
  return Refuse(Reason::kClientSecretSent);
}

struct Field {
  std::string_view name;
  Checked (*read)(const json&, TokenDraft*);
};
constexpr auto kFields = std::to_array<Field>({
    {"scopes", ReadScopes},
    {"scope", ReadScope},
    {"min_validity", ReadMinValidity},
    {"claims", ReadClaims},
    {"dry_run", ReadDryRun},
    {"context", ReadContext},
    {"approval", ReadApproval},
    {"client_secret", RefuseSecret},
    {"client_assertion", RefuseSecret},
});

}  // namespace

std::expected<TokenDraft, Refusal> ReadTokenJson(std::string_view body) {
  auto root = broker::ParseStrictJson(body);
  if (!root) return NotJson(root.error().detail);
  if (!root->is_object()) return NotJson({});
  TokenDraft draft;
  if (auto taken = TakeUserAssertion(*root, &draft); !taken) {
    return std::unexpected(std::move(taken.error()));
  }
  for (const auto& [name, value] : root->items()) {
    const auto* field = std::ranges::find(kFields, name, &Field::name);
    if (field == kFields.end()) {
      return Refuse(
          Reason::kUnknownField,
          "Remove " + Named(name) +
              "; known are scopes or scope, min_validity, claims, user_assertion, dry_run, "
              "approval and context.");
    }
    if (const Checked read = field->read(value, &draft); !read)
      return std::unexpected(read.error());
  }
  return draft;
}

}  // namespace sidecar::window
