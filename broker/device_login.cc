#include "broker/device_login.h"

#include <utility>

#include "broker/enrolment.h"
#include "broker/entra/token_request.h"

namespace broker {

struct DeviceLogin::State {
  Enrolment enrolment;
  DeviceGrant grant{enrolment.ports().http, enrolment.ports().clock};
  std::vector<std::string> consented = {};
};

DeviceLogin::DeviceLogin(Minter::Ports ports, SealedStore& store, policy::Config config,
                         policy::Credential credential)
    : state_(new State{Enrolment(ports, store, std::move(config), std::move(credential))}) {}
DeviceLogin::~DeviceLogin() = default;

std::chrono::seconds DeviceLogin::interval() const { return state_->grant.interval(); }
const std::vector<std::string>& DeviceLogin::consented() const { return state_->consented; }

std::expected<DevicePrompt, Refusal> DeviceLogin::Start() {
  Enrolment& enrolment = state_->enrolment;
  if (const auto begun = enrolment.Begin(); !begun) return std::unexpected(begun.error());
  return state_->grant.Start(
      entra::DeviceCodeStart(enrolment.authority(), enrolment.client(), enrolment.wanted()));
}

std::expected<bool, Refusal> DeviceLogin::Poll() {
  Enrolment& enrolment = state_->enrolment;
  const auto asked_at = enrolment.ports().clock.Now();
  const auto response = state_->grant.Poll(enrolment.authority(), enrolment.client());
  if (!response) return std::unexpected(response.error());
  if (!*response) return false;
  auto consented = enrolment.Finish(**response, asked_at);
  if (!consented) return std::unexpected(std::move(consented.error()));
  state_->consented = std::move(*consented);
  return true;
}

}  // namespace broker
