#include "vault_adapters/key_vault_client.h"

#include <algorithm>
#include <utility>

namespace vault {
namespace {

using broker::ErrorCode, broker::HttpResponse, broker::Secret;
using Freshness = broker::VaultAuth::Freshness;
using Problem = KeyVaultProblem;

std::string HostIn(const std::string& url) {
  const size_t start = url.find("://");
  const std::string authority = url.substr(start == std::string::npos ? 0 : start + 3);
  return authority.substr(0, authority.find(':'));
}

}  // namespace

KeyVaultClient::KeyVaultClient(KeyVaultOptions options, Ports ports)
    : options_(std::move(options)), ports_(ports), host_(HostIn(options_.url)) {}

std::optional<KeyVaultError> KeyVaultClient::Paused() {
  const std::scoped_lock lock(mutex_);
  const auto now = ports_.clock.Now();
  if (now >= not_before_) return std::nullopt;
  KeyVaultError error = Fault(paused_by_, host_, "").error();
  error.retry_after = std::chrono::ceil<std::chrono::seconds>(not_before_ - now);
  return error;
}

void KeyVaultClient::Pause(std::chrono::seconds wait, Problem problem) {
  const std::scoped_lock lock(mutex_);
  const auto until = ports_.clock.Now() + wait;
  if (until <= not_before_) return;
  not_before_ = until;
  paused_by_ = problem;
}

KeyVaultError KeyVaultClient::Unreachable(const broker::Error& error) {
  std::chrono::seconds pause = kFirstPause;
  {
    const std::scoped_lock lock(mutex_);
    constexpr int kMaxDoublings = 6;  // 2^6 s are beyond kLongestPause
    pause = std::min(kFirstPause * (1 << std::min(failures_, kMaxDoublings)), kLongestPause);
    ++failures_;
  }
  Pause(pause, Problem::kUnreachable);
  KeyVaultError fault = Fault(Problem::kUnreachable, host_, error.detail).error();
  fault.retry_after = pause;
  return fault;
}

KeyVaultResult<HttpResponse> KeyVaultClient::Attempt(broker::HttpRequest& http,
                                                     Freshness freshness) {
  const auto token = ports_.auth.Token(options_.resource, freshness);
  if (!token) {
    auto fault = Fault(Problem::kNoToken, host_,
                       "no token for " + options_.resource + ": " + token.error().detail);
    fault.error().code = token.error().code;
    fault.error().retry_after = token.error().retry_after;
    return fault;
  }
  Secret header = Secret::CopyOf("Bearer ");
  header.Append(*token);
  http.secret_headers.clear();
  http.secret_headers.emplace_back("Authorization", std::move(header));
  auto response = ports_.http.Send(http);
  if (response) return std::move(*response);
  if (response.error().code == ErrorCode::kUnavailable) {
    return std::unexpected(Unreachable(response.error()));
  }
  auto fault = Fault(Problem::kInvalid, host_, response.error().detail);
  fault.error().code = response.error().code;
  return fault;
}

// Challenges name the tenant by its GUID; the configuration may know it as a domain.
TrustedAuthority KeyVaultClient::Trusted() {
  TrustedAuthority trusted{host_, options_.resource, options_.tenants, options_.custom_cloud};
  if (std::string tenant = ports_.auth.Tenant(); !tenant.empty()) {
    trusted.tenants.push_back(std::move(tenant));
  }
  return trusted;
}

KeyVaultResult<HttpResponse> KeyVaultClient::Send(const KeyVaultRequest& request) {
  if (auto paused = Paused()) return std::unexpected(std::move(*paused));
  broker::HttpRequest http;
  http.method = request.method;
  http.url = options_.url + request.target;
  http.headers = {{"Accept", "application/json"}};
  http.deadline = kDeadline;
  if (!request.body.empty()) {
    http.content_type = "application/json";
    http.body = request.body.Clone();
  }
  auto response = Attempt(http, Freshness::kAny);
  if (response && response->status == 401) {
    const auto challenge = ParseBearerChallenge(response->www_authenticate);
    if (!challenge) return Fault(Problem::kInvalid, host_, "a 401 without a bearer challenge");
    const auto checked = CheckChallenge(*challenge, Trusted());
    if (!checked) return Fault(Problem::kUntrustedChallenge, host_, checked.error());
    response = Attempt(http, Freshness::kNew);
  }
  if (!response) return response;
  return Judge(std::move(*response), request.operation);
}

KeyVaultResult<HttpResponse> KeyVaultClient::Judge(HttpResponse response,
                                                   KeyVaultOperation operation) {
  // 202: the vault goes on by itself.
  const bool goes_on = operation == KeyVaultOperation::kCreateCertificate && response.status == 202;
  if (response.status != 200 && !goes_on) {
    KeyVaultError error = ReadKeyVaultError(response, operation, host_);
    if (error.problem == Problem::kThrottled) Pause(*error.retry_after, Problem::kThrottled);
    if (error.problem == Problem::kUnreachable) {
      KeyVaultError outage = Unreachable({ErrorCode::kUnavailable, {}});
      error.retry_after = std::max(
          *outage.retry_after,
          std::min(response.retry_after.value_or(std::chrono::seconds{0}), kMaxVaultRetryAfter));
      Pause(*error.retry_after, Problem::kUnreachable);
    }
    if (error.problem != Problem::kUnreachable) {
      const std::scoped_lock lock(mutex_);
      failures_ = 0;
    }
    return std::unexpected(std::move(error));
  }
  const std::scoped_lock lock(mutex_);
  failures_ = 0;
  return response;
}

}  // namespace vault
