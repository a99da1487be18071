#include "broker/sign_in.h"

#include <utility>

#include "broker/policy/clouds.h"

namespace broker {

SignIn::SignIn(Ports ports, policy::Tenant tenant, std::string client_id)
    : ports_(ports), tenant_(std::move(tenant)), grant_(ports.http, ports.clock) {
  client_.id = std::move(client_id);
}

std::expected<DevicePrompt, Refusal> SignIn::Start() {
  return grant_.Start(entra::SignInCodeStart(authority(), client_));
}

std::expected<std::optional<entra::SignedIn>, Refusal> SignIn::Poll() {
  const auto response = grant_.Poll(authority(), client_);
  if (!response) return std::unexpected(response.error());
  if (!*response) return std::nullopt;
  auto person = Verify(**response);
  if (!person) return std::unexpected(std::move(person.error()));
  return std::move(*person);
}

std::expected<entra::SignedIn, Refusal> SignIn::Verify(const HttpResponse& response) {
  const auto refuse = [](const Error& error) {
    return Refuse(Reason::kMintedMismatch, "What Entra sent proves nobody: " + error.detail + ".",
                  error.detail);
  };
  const auto token = entra::TakeIdToken(response.body);
  if (!token) return refuse(token.error());
  const auto key_id = entra::KeyIdOf(*token);
  if (!key_id) return refuse(key_id.error());
  const auto guid = ports_.tenants.Resolve(tenant_);
  if (!guid) return std::unexpected(guid.error());
  const auto key = ports_.keys.Find(tenant_, *key_id);
  if (!key && key.error().reason == Reason::kInvalidUserAssertion) {
    return refuse({ErrorCode::kDenied, "id_token: signed by no key of the tenant"});
  }
  if (!key) return std::unexpected(key.error());
  auto person = entra::VerifyIdToken(*token, *key,
                                     {.issuers = policy::IssuersOf(tenant_, *guid),
                                      .tenant = *guid,
                                      .app_id = client_.id,
                                      .now = ports_.clock.WallNow()});
  if (!person) return refuse(person.error());
  return std::move(*person);
}

}  // namespace broker
