#include "sidecar/window/wire.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "broker/base/strict_json.h"
#include "sidecar/window/claimed_text.h"
#include "sidecar/window/form.h"
#include "sidecar/window/media_type.h"

namespace sidecar::window {
namespace {

using broker::Reason, broker::Refuse, broker::Refusal, broker::TokenRequest;
using nlohmann::json;
using Checked = std::expected<void, Refusal>;

// A token request while its fields are read.
struct Draft {
  TokenRequest request;
  bool has_scopes = false;
};

// ---- the same for JSON and form ----

Checked SetScopes(std::vector<std::string> scopes, Draft* draft) {
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

Checked SetScopeText(std::string_view text, Draft* draft) {
  std::vector<std::string> scopes;
  while (scopes.size() <= TokenRequest::kMaxScopes) {
    const size_t space = text.find(' ');
    scopes.emplace_back(text.substr(0, space));
    if (space == std::string_view::npos) break;
    text.remove_prefix(space + 1);
  }
  return SetScopes(std::move(scopes), draft);
}

Checked SetMinValidity(int64_t seconds, Draft* draft) {
  if (seconds < 0 || seconds > TokenRequest::kMaxMinValidity) {
    return Refuse(Reason::kValueOutOfRange, "min_validity is 0 to 3600 seconds.");
  }
  draft->request.min_validity = std::chrono::seconds(seconds);
  return {};
}

Checked SetClaims(const std::string& claims, Draft* draft) {
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

// ---- JSON ----

std::unexpected<Refusal> WrongType(const char* hint) { return Refuse(Reason::kWrongType, hint); }

// Quotes a field's name only if it is a plain one: the hint goes back into a model's context.
std::string Named(std::string_view field) {
  constexpr size_t kLongest = 40;
  const bool plain = field.size() <= kLongest && std::ranges::all_of(field, [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
                     });
  return plain && !field.empty() ? '"' + std::string(field) + '"' : "the unknown field";
}

Checked ReadScopes(const json& value, Draft* draft) {
  const bool strings = value.is_array() && std::ranges::all_of(value, &json::is_string);
  if (!strings) return WrongType("scopes is a list of strings, e.g. [\"Mail.Read\"].");
  return SetScopes(value.get<std::vector<std::string>>(), draft);
}

Checked ReadScope(const json& value, Draft* draft) {
  if (!value.is_string()) return WrongType("scope is a string, e.g. \"Mail.Read User.Read\".");
  return SetScopeText(value.get_ref<const std::string&>(), draft);
}

Checked ReadMinValidity(const json& value, Draft* draft) {
  if (!value.is_number_integer())
    return WrongType("min_validity is a number of seconds, e.g. 300.");
  const bool fits = !value.is_number_unsigned() || value.get<uint64_t>() <= INT64_MAX;
  return SetMinValidity(fits ? value.get<int64_t>() : INT64_MAX, draft);
}

Checked ReadClaims(const json& value, Draft* draft) {
  if (!value.is_string()) return WrongType("claims is a string that holds a JSON object.");
  return SetClaims(value.get_ref<const std::string&>(), draft);
}

Checked ReadDryRun(const json& value, Draft* draft) {
  if (!value.is_boolean()) return WrongType("dry_run is true or false.");
  draft->request.dry_run = value.get<bool>();
  return {};
}

Checked ReadContext(const json& value, Draft* draft) {
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
    if (!IsInertText(*place)) {
      return Refuse(Reason::kValueOutOfRange,
                    "context." + name +
                        " has at most 200 characters, none of them a control, "
                        "line-separator or bidirectional character.");
    }
  }
  return {};
}

Checked RefuseSecret(const json& /*value*/, Draft* /*draft*/) {
  return Refuse(Reason::kClientSecretSent);
}

struct Field {
  std::string_view name;
  Checked (*read)(const json&, Draft*);
};
constexpr auto kFields = std::to_array<Field>({
    {"scopes", ReadScopes},
    {"scope", ReadScope},
    {"min_validity", ReadMinValidity},
    {"claims", ReadClaims},
    {"dry_run", ReadDryRun},
    {"context", ReadContext},
    {"client_secret", RefuseSecret},
    {"client_assertion", RefuseSecret},
});

std::unexpected<Refusal> NotJson(std::string_view detail) {
  if (detail == broker::kDuplicateKey) {
    return Refuse(Reason::kDuplicateField, "Send each field once.");
  }
  if (detail == broker::kNotAnInteger) {
    return Refuse(Reason::kWrongType, "Numbers are integers of at most 64 bits.");
  }
  return Refuse(Reason::kMalformedJson, "Send e.g. {\"scopes\":[\"Mail.Read\"]}.");
}

std::expected<Draft, Refusal> ReadJson(std::string_view body) {
  const auto root = broker::ParseStrictJson(body);
  if (!root) return NotJson(root.error().detail);
  if (!root->is_object()) return NotJson({});
  Draft draft;
  for (const auto& [name, value] : root->items()) {
    const auto* field = std::ranges::find(kFields, name, &Field::name);
    if (field == kFields.end()) {
      return Refuse(Reason::kUnknownField,
                    "Remove " + Named(name) +
                        "; known are scopes or scope, min_validity, claims, dry_run and context.");
    }
    if (const Checked read = field->read(value, &draft); !read)
      return std::unexpected(read.error());
  }
  return draft;
}

// ---- form ----

Checked ReadFormField(std::string_view name, const std::string& value, Draft* draft) {
  if (name == "grant_type") {
    if (value == "client_credentials") return {};
    return Refuse(Reason::kUnsupportedGrantType);
  }
  if (name == "scope") return SetScopeText(value, draft);
  if (name == "claims") return SetClaims(value, draft);
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
      return WrongType("min_validity is a number of seconds, e.g. 300.");
    }
    return SetMinValidity(seconds, draft);
  }
  return Refuse(Reason::kUnknownField,
                "Remove " + Named(name) +
                    "; a form has grant_type, scope, client_id, min_validity and claims.");
}

std::expected<Draft, Refusal> ReadForm(std::string_view body) {
  const auto fields = ParseForm(body);
  if (!fields) return std::unexpected(fields.error());
  const bool granted =
      std::ranges::any_of(*fields, [](const auto& field) { return field.first == "grant_type"; });
  if (!granted) return Refuse(Reason::kMissingField, "Send grant_type=client_credentials.");
  Draft draft;
  for (const auto& [name, value] : *fields) {
    const Checked read = ReadFormField(name, value, &draft);
    if (!read) return std::unexpected(read.error());
  }
  return draft;
}

}  // namespace

std::expected<TokenRequest, Refusal> ParseTokenRequest(const Head& head, std::string_view body) {
  const MediaType type = MediaTypeOf(head.content_type);
  if (type == MediaType::kOther) return Refuse(Reason::kUnsupportedMediaType);
  if (CarriesSecret(head.authorization)) {
    return Refuse(Reason::kClientSecretSent, "Remove the Authorization header.");
  }
  auto draft = type == MediaType::kJson ? ReadJson(body) : ReadForm(body);
  if (!draft) return std::unexpected(std::move(draft.error()));
  if (!draft->has_scopes) {
    return Refuse(Reason::kMissingField, "Send scopes, e.g. {\"scopes\":[\"Mail.Read\"]}.");
  }
  draft->request.trace = TraceIdOf(head.traceparent);
  return std::move(draft->request);
}

std::expected<uint64_t, Refusal> ParseAuditQuery(std::string_view query) {
  constexpr std::string_view kAfter = "after=";
  if (query.empty()) return 0;
  if (!query.starts_with(kAfter)) {
    return Refuse(Reason::kUnknownField, "The query is after=N, the last sequence number seen.");
  }
  const std::string_view digits = query.substr(kAfter.size());
  uint64_t after = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), after);
  if (error != std::errc{} || end != digits.data() + digits.size() || after > INT64_MAX) {
    return Refuse(Reason::kValueOutOfRange, "after is a sequence number, e.g. after=41.");
  }
  return after;
}

Checked CheckAdminBody(const Head& head, std::string_view body) {
  if (body.empty()) return {};
  if (MediaTypeOf(head.content_type) != MediaType::kJson) {
    return Refuse(Reason::kUnsupportedMediaType, "Send application/json here.");
  }
  const auto root = broker::ParseStrictJson(body);
  if (!root) return NotJson(root.error().detail);
  if (!root->is_object()) return Refuse(Reason::kMalformedJson);
  return {};
}

std::string TraceIdOf(std::string_view traceparent) {
  // version "-" trace-id "-" parent-id "-" flags
  constexpr size_t kBytes = 55;
  const auto hex = [](std::string_view text) {
    return std::ranges::all_of(
        text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  };
  const auto zero = [](std::string_view text) { return text.find_first_not_of('0') == text.npos; };
  if (traceparent.size() < kBytes) return {};
  const std::string_view version = traceparent.substr(0, 2);
  const std::string_view trace = traceparent.substr(3, 32);
  const std::string_view parent = traceparent.substr(36, 16);
  const bool dashes = traceparent[2] == '-' && traceparent[35] == '-' && traceparent[52] == '-';
  const bool length =
      traceparent.size() == kBytes || (version != "00" && traceparent[kBytes] == '-');
  const bool digits = hex(version) && hex(trace) && hex(parent) && hex(traceparent.substr(53, 2));
  if (!dashes || !length || !digits || version == "ff" || zero(trace) || zero(parent)) return {};
  return std::string(trace);
}

}  // namespace sidecar::window
