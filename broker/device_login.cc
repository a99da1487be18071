#include "broker/device_login.h"

#include <algorithm>
#include <utility>

#include "broker/enrolment.h"
#include "broker/entra/device_code.h"
#include "broker/entra/token_request.h"
#include "broker/entra/upstream_error.h"

namespace broker {
namespace {

using entra::ErrorClass;

Refusal RefusalOf(const entra::UpstreamError& error, std::string hint = {}) {
  return {Describe(error.error_class).reason, std::move(hint), error.detail, error.retry_after};
}

}  // namespace

struct DeviceLogin::State {
  Enrolment enrolment;
  entra::DeviceCode code;
  std::chrono::seconds interval{0};
  Clock::Steady expires_at{};
  std::vector<std::string> consented;

  std::expected<bool, Refusal> Later(const entra::UpstreamError& error);
};

DeviceLogin::DeviceLogin(Minter::Ports ports, SealedStore& store, policy::Config config,
                         policy::Credential credential)
    : state_(new State{Enrolment(ports, store, std::move(config), std::move(credential))}) {}
DeviceLogin::~DeviceLogin() = default;

std::chrono::seconds DeviceLogin::interval() const { return state_->interval; }
const std::vector<std::string>& DeviceLogin::consented() const { return state_->consented; }

std::expected<DevicePrompt, Refusal> DeviceLogin::Start() {
  State& state = *state_;
  Enrolment& enrolment = state.enrolment;
  if (const auto begun = enrolment.Begin(); !begun) return std::unexpected(begun.error());
  const auto response = enrolment.ports().http.Send(
      entra::DeviceCodeStart(enrolment.authority(), enrolment.client(), enrolment.wanted()));
  if (!response) return std::unexpected(RefusalOf(entra::ReadTransportError(response.error())));
  if (response->status != 200)
    return std::unexpected(RefusalOf(entra::ReadUpstreamError(*response)));
  auto code = entra::ReadDeviceCode(response->body);
  if (!code) return Refuse(Reason::kUpstreamInvalid, {}, code.error().detail);
  state.code = std::move(*code);
  state.interval = state.code.interval;
  state.expires_at = enrolment.ports().clock.Now() + state.code.expires_in;
  return DevicePrompt{state.code.user_code, state.code.verification_uri, state.code.expires_in,
                      state.interval};
}

std::expected<bool, Refusal> DeviceLogin::Poll() {
  State& state = *state_;
  Enrolment& enrolment = state.enrolment;
  const auto asked_at = enrolment.ports().clock.Now();
  if (asked_at >= state.expires_at) {
    return Refuse(Reason::kLoginRequired, "The code has expired; start the login again.");
  }
  const auto response = enrolment.ports().http.Send(
      entra::DeviceCodeGrant(enrolment.authority(), enrolment.client(), state.code.device_code));
  if (!response) return state.Later(entra::ReadTransportError(response.error()));
  if (response->status != 200) return state.Later(entra::ReadUpstreamError(*response));
  auto consented = enrolment.Finish(*response, asked_at);
  if (!consented) return std::unexpected(std::move(consented.error()));
  state.consented = std::move(*consented);
  return true;
}

std::expected<bool, Refusal> DeviceLogin::State::Later(const entra::UpstreamError& error) {
  switch (error.error_class) {
    case ErrorClass::kPending:
      return false;
    case ErrorClass::kSlowDown:
      interval += kSlowDown;
      return false;
    case ErrorClass::kTransient:  // RFC 8628 §3.5: ask less often; the code ends the login in time
      interval = std::min(interval * 2, std::max(interval, kLongestInterval));
      return false;
    case ErrorClass::kThrottled:
      interval = std::max(interval, error.retry_after.value_or(entra::kDefaultRetryAfter));
      return false;
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
