#include "broker/device_grant.h"

#include <algorithm>
#include <utility>

namespace broker {
namespace {

using entra::ErrorClass;

Refusal RefusalOf(const entra::UpstreamError& error, std::string hint = {}) {
  return {Describe(error.error_class).reason, std::move(hint), error.detail, error.retry_after};
}

}  // namespace

std::expected<DevicePrompt, Refusal> DeviceGrant::Start(const HttpRequest& request) {
  const auto response = http_.Send(request);
  if (!response) return std::unexpected(RefusalOf(entra::ReadTransportError(response.error())));
  if (response->status != 200) {
    return std::unexpected(RefusalOf(entra::ReadUpstreamError(*response)));
  }
  auto code = entra::ReadDeviceCode(response->body);
  if (!code) return Refuse(Reason::kUpstreamInvalid, {}, code.error().detail);
  code_ = std::move(*code);
  interval_ = code_.interval;
  expires_at_ = clock_.Now() + code_.expires_in;
  return DevicePrompt{code_.user_code, code_.verification_uri, code_.expires_in, interval_};
}

std::expected<std::optional<HttpResponse>, Refusal> DeviceGrant::Poll(
    const entra::Authority& authority, const entra::Client& client) {
  if (clock_.Now() >= expires_at_) {
    return Refuse(Reason::kLoginRequired, "The code has expired; start the login again.");
  }
  auto response = http_.Send(entra::DeviceCodeGrant(authority, client, code_.device_code));
  if (!response) return Later(entra::ReadTransportError(response.error()));
  if (response->status != 200) return Later(entra::ReadUpstreamError(*response));
  return std::optional(std::move(*response));
}

std::expected<std::optional<HttpResponse>, Refusal> DeviceGrant::Later(
    const entra::UpstreamError& error) {
  switch (error.error_class) {
    case ErrorClass::kPending:
      return std::nullopt;
    case ErrorClass::kSlowDown:
      interval_ += kSlowDown;
      return std::nullopt;
    case ErrorClass::kTransient:  // RFC 8628 §3.5: ask less often; the code ends the login in time
      interval_ = std::min(interval_ * 2, std::max(interval_, kLongestInterval));
      return std::nullopt;
    case ErrorClass::kThrottled:
      interval_ = std::max(interval_, error.retry_after.value_or(entra::kDefaultRetryAfter));
      return std::nullopt;
    case ErrorClass::kDeclined:
      return std::unexpected(RefusalOf(error, "The person declined."));
    case ErrorClass::kCodeExpired:
      return std::unexpected(RefusalOf(error, "The code has expired; start the login again."));
    case ErrorClass::kGrantDead:
    case ErrorClass::kInteraction:
    case ErrorClass::kConsent:
    case ErrorClass::kPolicy:
    case ErrorClass::kPrincipal:
    case ErrorClass::kCredential:
    case ErrorClass::kBadRequest:
    case ErrorClass::kInvalid:
      break;
  }
  return std::unexpected(RefusalOf(error));
}

}  // namespace broker
