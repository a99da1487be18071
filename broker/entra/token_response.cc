#include "broker/entra/token_response.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "broker/base/ascii.h"
#include "broker/base/strict_json.h"
#include "broker/entra/scope_list.h"

namespace broker::entra {
namespace {

using nlohmann::json;

std::unexpected<Error> Bad(const char* what) {
  return Fail(ErrorCode::kCorrupt, std::string("token response: ") + what);
}

// Moves the string into the arena and wipes the parser's copy.
bool TakeString(json& object, const char* name, bool required, Secret* out) {
  const auto it = object.find(name);
  if (it == object.end()) return !required;
  if (!it->is_string()) return false;
  *out = Secret::TakeFrom(it->get_ref<std::string&>());
  return !out->empty();
}

bool ReadSeconds(const json& object, const char* name, std::chrono::seconds* out) {
  const auto it = object.find(name);
  if (it == object.end() || !it->is_number_integer()) return false;
  const auto value = it->get<int64_t>();
  if (value <= 0 || value > TokenResponse::kMaxLife.count()) return false;
  *out = std::chrono::seconds(value);
  return true;
}

bool IsBearer(const json& object) {
  const auto it = object.find("token_type");
  if (it == object.end() || !it->is_string()) return false;
  return SameIgnoringCase(it->get_ref<const std::string&>(), "bearer");
}

}  // namespace

Result<TokenResponse> ReadTokenResponse(const Secret& body, std::string_view resource) {
  auto parsed = ParseStrictJson(body.Expose(Exit::kInspectClaims));
  if (!parsed) return Bad(parsed.error().detail.c_str());
  if (!parsed->is_object()) return Bad("not an object");
  json& object = *parsed;
  TokenResponse response;
  // The tokens first: nothing may fail while they stand in ordinary memory.
  const bool access = TakeString(object, "access_token", true, &response.access_token);
  const bool refresh = TakeString(object, "refresh_token", false, &response.refresh_token);
  Secret unused;  // not asked for, but a bearer of personal data: wiped with the others
  TakeString(object, "id_token", false, &unused);
  if (!access) return Bad("access_token");
  if (!refresh) return Bad("refresh_token");
  if (!IsBearer(object)) return Bad("token_type");
  if (!ReadSeconds(object, "expires_in", &response.expires_in)) return Bad("expires_in");
  if (object.contains("refresh_in")) {
    std::chrono::seconds refresh_in{};
    if (!ReadSeconds(object, "refresh_in", &refresh_in)) return Bad("refresh_in");
    response.refresh_in = std::min(refresh_in, response.expires_in);
  }
  if (const auto scope = object.find("scope"); scope != object.end()) {
    if (!scope->is_string()) return Bad("scope");
    response.granted = ParseScopeList(scope->get_ref<const std::string&>(), resource);
  }
  return response;
}

}  // namespace broker::entra
