#include "broker/entra/managed_identity.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "broker/base/ascii.h"
#include "broker/base/strict_json.h"
#include "broker/entra/form.h"

namespace broker::entra {
namespace {

using nlohmann::json;

// The oldest versions that know every selector; newer ones add nothing that purser reads.
constexpr std::string_view kImdsVersion = "2018-02-01";
constexpr std::string_view kAppServiceVersion = "2019-08-01";
constexpr std::string_view kArcVersion = "2020-06-01";
// The endpoints are a hop away at most; a machine without one drops the packets.
constexpr std::chrono::milliseconds kDeadline{5000};
constexpr size_t kMaxTokenBytes = size_t{16} << 10;

HttpRequest Get(const ManagedIdentityAsk& ask, std::string_view version) {
  HttpRequest request;
  request.method = "GET";
  request.url = ask.endpoint + "?api-version=" + std::string(version) +
                "&resource=" + PercentEncode(ask.resource);
  if (!ask.selector.first.empty()) {
    request.url += "&" + ask.selector.first + "=" + PercentEncode(ask.selector.second);
  }
  request.headers.emplace_back("Accept", "application/json");
  request.deadline = kDeadline;
  return request;
}

std::unexpected<Error> Bad(const char* what) {
  return Fail(ErrorCode::kCorrupt, std::string("managed identity: ") + what);
}

bool IsKeyName(std::string_view name) {
  constexpr std::string_view kSuffix = ".key";
  if (name.size() <= kSuffix.size() || name.size() > 255 || !name.ends_with(kSuffix)) return false;
  return name.front() != '.' && std::ranges::all_of(name, [](char c) {
           return IsAlnum(c) || c == '-' || c == '_' || c == '.';
         });
}

// Endpoints differ: "3599", 3599. Nothing for what is neither.
std::optional<int64_t> ReadInteger(const json& object, const char* name) {
  const auto it = object.find(name);
  if (it == object.end()) return std::nullopt;
  if (it->is_number_integer()) return it->get<int64_t>();
  if (!it->is_string()) return std::nullopt;
  const auto& text = it->get_ref<const std::string&>();
  int64_t value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::chrono::seconds> ReadLife(const json& object, Clock::Wall now) {
  auto life = ReadInteger(object, "expires_in");
  if (!life) {
    life = ReadInteger(object, "expires_on");
    if (life && *life > 0) {
      *life -= std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    }
  }
  if (!life || *life <= 0 || *life > TokenResponse::kMaxLife.count()) return std::nullopt;
  return std::chrono::seconds(*life);
}

}  // namespace

HttpRequest ImdsRequest(const ManagedIdentityAsk& ask) {
  HttpRequest request = Get(ask, kImdsVersion);
  request.headers.emplace_back("Metadata", "true");
  return request;
}

HttpRequest AppServiceRequest(const ManagedIdentityAsk& ask, const Secret& header) {
  HttpRequest request = Get(ask, kAppServiceVersion);
  request.secret_headers.emplace_back("X-IDENTITY-HEADER", header.Clone());
  return request;
}

HttpRequest ArcRequest(const ManagedIdentityAsk& ask, const Secret* key) {
  HttpRequest request = Get(ask, kArcVersion);
  request.headers.emplace_back("Metadata", "true");
  if (key == nullptr) return request;
  Secret value = Secret::CopyOf("Basic ");
  value.Append(*key);
  request.secret_headers.emplace_back("Authorization", std::move(value));
  return request;
}

Result<std::string> ArcKeyPath(std::string_view www_authenticate, std::string_view folder) {
  constexpr std::string_view kScheme = "Basic realm=";
  if (!www_authenticate.starts_with(kScheme)) return Bad("the challenge names no key file");
  std::string_view path = www_authenticate.substr(kScheme.size());
  if (path.size() > 1 && path.starts_with('"') && path.ends_with('"')) {
    path = path.substr(1, path.size() - 2);
  }
  const bool inside =
      path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
  if (folder.empty() || !inside || !IsKeyName(path.substr(folder.size() + 1))) {
    return Bad("the challenge names a file that is no key in the configured folder");
  }
  return std::string(path);
}

Result<TokenResponse> ReadManagedIdentityToken(const Secret& body, Clock::Wall now) {
  auto parsed = ParseStrictJson(body.Expose(Exit::kInspectClaims));
  if (!parsed) return Bad(parsed.error().detail.c_str());
  if (!parsed->is_object()) return Bad("not an object");
  TokenResponse response;
  const auto token = parsed->find("access_token");
  if (token == parsed->end() || !token->is_string()) return Bad("access_token");
  response.access_token = Secret::TakeFrom(token->get_ref<std::string&>());
  if (response.access_token.empty() || response.access_token.size() > kMaxTokenBytes) {
    return Bad("access_token");
  }
  const auto life = ReadLife(*parsed, now);
  if (!life) return Bad("neither expires_in nor expires_on");
  response.expires_in = *life;
  return response;
}

UpstreamError ReadManagedIdentityError(const HttpResponse& response) {
  using enum ErrorClass;
  const int status = response.status;
  UpstreamError error{kBadRequest, response.retry_after,
                      "the managed identity endpoint answered " + std::to_string(status)};
  if (status == 404 || status == 408 || status >= 500) error.error_class = kTransient;
  if (status == 410 || status == 429) {
    error.error_class = kThrottled;
    if (!error.retry_after) error.retry_after = status == 410 ? kImdsUpdate : kImdsThrottle;
  }
  if (status == 400) error.error_class = kPrincipal;
  if (status == 401 || status == 403) error.error_class = kCredential;
  if (error.retry_after) {
    error.retry_after = std::clamp(*error.retry_after, std::chrono::seconds{0}, kMaxRetryAfter);
  }
  return error;
}

}  // namespace broker::entra
