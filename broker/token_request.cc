#include "broker/token_request.h"

#include <algorithm>
#include <array>

#include "broker/base/strict_json.h"

namespace broker {
namespace {

constexpr std::string_view kDefault = ".default";
// Not permissions of a resource: purser adds what the protocol needs itself.
constexpr std::array<std::string_view, 4> kOidcScopes = {"openid", "profile", "email",
                                                         "offline_access"};

// scope-token of RFC 6749 §3.3, without what no Entra scope holds.
bool IsScopeText(std::string_view scope) {
  return !scope.empty() && scope.size() <= TokenRequest::kMaxScopeBytes &&
         std::ranges::all_of(scope, [](char c) {
           return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '%' && c != '#' && c != '?';
         });
}

struct OneScope {
  std::string_view resource;  // empty: Graph
  std::string_view name;
};

// "Mail.Read" | "https://host/Name" | "api://id/Name"; the name follows the last slash. A resource
// whose own identifier ends with a slash ("https://vault.azure.net/") has two there.
std::expected<OneScope, Refusal> Split(std::string_view scope) {
  if (!IsScopeText(scope)) return Refuse(Reason::kInvalidScope);
  if (std::ranges::find(kOidcScopes, scope) != kOidcScopes.end()) {
    return Refuse(Reason::kInvalidScope, "Leave out openid, profile, email and offline_access.");
  }
  const size_t scheme = scope.find("://");
  if (scheme == std::string_view::npos) {
    if (scope.find('/') != std::string_view::npos) return Refuse(Reason::kInvalidScope);
    return OneScope{{}, scope};
  }
  const size_t slash = scope.rfind('/');
  if (slash < scheme + 4 || slash + 1 == scope.size()) return Refuse(Reason::kInvalidScope);
  return OneScope{scope.substr(0, slash), scope.substr(slash + 1)};
}

bool HasXmsCc(const nlohmann::json& claims) {
  const auto access = claims.find("access_token");
  return access != claims.end() && access->is_object() && access->contains("xms_cc");
}

}  // namespace

std::expected<RequestedScopes, Refusal> ParseScopes(const std::vector<std::string>& scopes,
                                                    std::string_view graph_resource) {
  if (scopes.empty()) return Refuse(Reason::kMissingField, "Send scopes, e.g. [\"Mail.Read\"].");
  if (scopes.size() > TokenRequest::kMaxScopes) {
    return Refuse(Reason::kValueOutOfRange, "Send at most 64 scopes.");
  }
  RequestedScopes parsed;
  for (const std::string& scope : scopes) {
    const auto one = Split(scope);
    if (!one) return std::unexpected(one.error());
    const std::string_view resource = one->resource.empty() ? graph_resource : one->resource;
    if (!parsed.resource.empty() && parsed.resource != resource) {
      return Refuse(Reason::kMixedResources);
    }
    parsed.resource = resource;
    if (one->name == kDefault) {
      parsed.is_default = true;
    } else {
      parsed.names.emplace_back(one->name);
    }
  }
  if (parsed.is_default && !parsed.names.empty()) {
    return Refuse(Reason::kInvalidScope, ".default stands alone.");
  }
  std::ranges::sort(parsed.names);
  const auto repeated = std::ranges::unique(parsed.names);
  parsed.names.erase(repeated.begin(), repeated.end());
  return parsed;
}

std::expected<std::string, Refusal> CanonicalClaims(const std::string& claims) {
  if (claims.empty()) return std::string();
  const auto parsed = ParseStrictJson(claims);
  if (!parsed || !parsed->is_object()) return Refuse(Reason::kInvalidClaims);
  if (HasXmsCc(*parsed)) {
    return Refuse(Reason::kInvalidClaims, "Leave out xms_cc: such tokens live for a day.");
  }
  return parsed->dump();
}

std::string WithContinuousAccess(const std::string& canonical) {
  auto claims = nlohmann::json::object();
  if (!canonical.empty()) claims = *ParseStrictJson(canonical);
  auto& access = claims["access_token"];
  if (!access.is_object()) access = nlohmann::json::object();
  access["xms_cc"] = {{"values", {"cp1"}}};
  return claims.dump();
}

bool AsksForContinuousAccess(const std::string& canonical) {
  return !canonical.empty() && HasXmsCc(*ParseStrictJson(canonical));
}

}  // namespace broker
