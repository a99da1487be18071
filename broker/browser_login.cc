#include "broker/browser_login.h"

#include <utility>

#include "broker/entra/upstream_error.h"

namespace broker {

std::expected<std::string, Refusal> BrowserLogin::Start(uint16_t port, std::string login_hint) {
  if (const auto begun = enrolment_.Begin(); !begun) return std::unexpected(begun.error());
  login_ = entra::NewLoginSecrets(enrolment_.ports().random);
  redirect_uri_ = entra::LoopbackRedirect(port);
  return entra::AuthorizeUrl(enrolment_.authority(),
                             {.client_id = enrolment_.credential().client_id,
                              .redirect_uri = redirect_uri_,
                              .scope = enrolment_.wanted().scope,
                              .login_hint = std::move(login_hint)},
                             login_);
}

std::expected<std::vector<std::string>, Refusal> BrowserLogin::Finish(std::string_view redirect) {
  if (over_) return Refuse(Reason::kLoginRequired, "This login is over; start it again.");
  const auto code = entra::ReadRedirect(redirect, login_);
  if (!code && code.error().code != ErrorCode::kDenied) {
    return Refuse(Reason::kValueOutOfRange, "This is not the answer of this login.",
                  code.error().detail);
  }
  over_ = true;
  if (!code) return Refuse(Reason::kLoginRequired, "The login was declined.", code.error().detail);
  const auto asked_at = enrolment_.ports().clock.Now();
  const auto response = enrolment_.ports().http.Send(
      entra::AuthorizationCodeGrant(enrolment_.authority(), enrolment_.client(),
                                    {*code, login_.verifier, redirect_uri_}, enrolment_.wanted()));
  if (response && response->status == 200) return enrolment_.Finish(*response, asked_at);
  const auto error =
      response ? entra::ReadUpstreamError(*response) : entra::ReadTransportError(response.error());
  return std::unexpected(
      Refusal{entra::Describe(error.error_class).reason, {}, error.detail, error.retry_after});
}

}  // namespace broker
