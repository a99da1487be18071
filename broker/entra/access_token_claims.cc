#include "broker/entra/access_token_claims.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "broker/base/base64.h"
#include "broker/base/strict_json.h"
#include "broker/entra/scope_list.h"

namespace broker::entra {
namespace {

using nlohmann::json;

std::unexpected<Error> Bad(const char* what) {
  return Fail(ErrorCode::kCorrupt, std::string("access token: ") + what);
}

// Claims that purser does not read may hold anything JSON can say.
constexpr JsonLimits kClaimLimits{.max_depth = 16, .allow_floats = true};

Result<json> DecodePart(std::string_view part) {
  const auto bytes = Base64UrlDecode(part);
  if (!bytes) return Bad("not base64url");
  auto parsed = ParseStrictJson(bytes->Expose(Exit::kInspectClaims), kClaimLimits);
  if (!parsed) return Bad(parsed.error().detail.c_str());
  if (!parsed->is_object()) return Bad("not an object");
  return parsed;
}

// header.payload.signature; an encrypted token has five parts, an opaque one usually one.
Result<json> DecodePayload(std::string_view token) {
  const size_t first = token.find('.');
  const size_t second = first == token.npos ? first : token.find('.', first + 1);
  if (second == token.npos || token.find('.', second + 1) != token.npos) {
    return Bad("not a signed JWT");
  }
  if (const auto header = DecodePart(token.substr(0, first)); !header) return header;
  return DecodePart(token.substr(first + 1, second - first - 1));
}

// Absent leaves `out` as it is; false for another type or a NUL.
bool ReadText(const json& claims, const char* name, std::string* out) {
  const auto it = claims.find(name);
  if (it == claims.end()) return true;
  if (!it->is_string()) return false;
  *out = it->get<std::string>();
  return out->find('\0') == std::string::npos;
}

bool ReadTime(const json& claims, const char* name, int64_t* out) {
  const auto it = claims.find(name);
  if (it == claims.end()) return true;
  if (!it->is_number_integer()) return false;
  // The year 2200. Beyond 2262 the clock's nanoseconds would overflow, and a token that lives for
  // centuries could pass for one of an hour.
  constexpr int64_t kLatest = 7'258'118'400;
  if (it->is_number_unsigned() && it->get<uint64_t>() > uint64_t{kLatest}) return false;
  *out = it->get<int64_t>();
  return *out > 0;
}

bool ReadRoles(const json& claims, std::vector<std::string>* out) {
  const auto it = claims.find("roles");
  if (it == claims.end()) return true;
  if (!it->is_array()) return false;
  for (const json& role : *it) {
    if (!role.is_string()) return false;
    out->push_back(role.get<std::string>());
  }
  std::ranges::sort(*out);
  const auto repeated = std::ranges::unique(*out);
  out->erase(repeated.begin(), repeated.end());
  return true;
}

const char* ReadIdentity(const json& payload, AccessTokenClaims* claims) {
  std::string azp;
  if (!ReadText(payload, "iss", &claims->iss)) return "iss";
  if (!ReadText(payload, "aud", &claims->aud) || claims->aud.empty()) return "aud";
  if (!ReadText(payload, "tid", &claims->tid) || claims->tid.empty()) return "tid";
  if (!ReadText(payload, "appid", &claims->app_id)) return "appid";
  if (!ReadText(payload, "azp", &azp)) return "azp";
  if (claims->app_id.empty()) claims->app_id = azp;
  if (claims->app_id.empty()) return "neither appid nor azp";
  if (!azp.empty() && azp != claims->app_id) return "appid and azp differ";
  if (!ReadText(payload, "oid", &claims->oid)) return "oid";
  if (!ReadText(payload, "uti", &claims->uti)) return "uti";
  if (!ReadTime(payload, "exp", &claims->exp) || claims->exp == 0) return "exp";
  if (!ReadTime(payload, "nbf", &claims->nbf)) return "nbf";
  return nullptr;
}

const char* ReadRights(const json& payload, AccessTokenClaims* claims) {
  std::string scp, idtyp;
  std::vector<std::string> roles;
  if (!ReadText(payload, "scp", &scp)) return "scp";
  if (!ReadText(payload, "idtyp", &idtyp)) return "idtyp";
  if (!ReadRoles(payload, &roles)) return "roles";
  if (!idtyp.empty() && idtyp != "app" && idtyp != "user") return "idtyp";
  // idtyp is an optional claim; scp stands in every delegated token and in no other.
  claims->app_only = idtyp.empty() ? scp.empty() : idtyp == "app";
  if (claims->app_only && !scp.empty()) return "idtyp app with scp";
  claims->scopes = MergeScopes(ParseScopeList(scp, {}), roles);
  return nullptr;
}

}  // namespace

Result<AccessTokenClaims> ReadAccessTokenClaims(const Secret& token) {
  const auto payload = DecodePayload(token.Expose(Exit::kInspectClaims));
  if (!payload) return std::unexpected(payload.error());
  AccessTokenClaims claims;
  if (const char* fault = ReadIdentity(*payload, &claims)) return Bad(fault);
  if (const char* fault = ReadRights(*payload, &claims)) return Bad(fault);
  return claims;
}

}  // namespace broker::entra
