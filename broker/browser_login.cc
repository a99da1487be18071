#include "broker/browser_login.h"

#include <utility>

#include "broker/entra/upstream_error.h"
#include "broker/policy/credential_commands.h"

namespace broker {
namespace {

// Entra takes the kind of client from the platform under which the redirect URI is registered.
constexpr int32_t kNoSecretSent = 7000218;
constexpr int32_t kSecretOfPublicClient = 700025;
constexpr int32_t kSinglePageApplication = 9002327;

std::string HintOf(int32_t aadsts) {
  switch (aadsts) {
    case kNoSecretSent:
      return "Entra takes the application for a confidential one: register http://localhost under "
             "\"Mobile and desktop applications\" instead, or set client_auth.";
    case kSecretOfPublicClient:
      return "Entra takes the application for a public one: register http://localhost under "
             "\"Web\" instead, or drop client_auth.";
    case kSinglePageApplication:
      return "http://localhost is registered for a single-page application: register it under "
             "\"Mobile and desktop applications\" instead.";
    default:
      return {};
  }
}

Refusal Declined(const std::string& detail) {
  const std::string word = detail.substr(detail.rfind(' ') + 1);
  const entra::ErrorClass error_class = entra::ClassOfWord(word);
  if (error_class == entra::ErrorClass::kDeclined) {
    return {Reason::kLoginRequired, "The person declined.", detail, {}};
  }
  return {
      entra::Describe(error_class).reason, "The browser brought back " + word + ".", detail, {}};
}

Refusal Unredeemed(const entra::UpstreamError& error) {
  return {entra::Describe(error.error_class).reason, HintOf(error.aadsts), error.detail,
          error.retry_after};
}

}  // namespace

std::string BrowserLogin::Advice(const policy::Credential& credential) {
  return "Where Entra shows AADSTS50011, the registration lacks the redirect URI: az ad app update "
         "--id " +
         credential.client_id + " " + policy::RedirectUriOption(credential);
}

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
  if (!code) return std::unexpected(Declined(code.error().detail));
  const auto asked_at = enrolment_.ports().clock.Now();
  const auto response = enrolment_.ports().http.Send(
      entra::AuthorizationCodeGrant(enrolment_.authority(), enrolment_.client(),
                                    {*code, login_.verifier, redirect_uri_}, enrolment_.wanted()));
  if (response && response->status == 200) return enrolment_.Finish(*response, asked_at);
  return std::unexpected(Unredeemed(response ? entra::ReadUpstreamError(*response)
                                             : entra::ReadTransportError(response.error())));
}

}  // namespace broker
