// broker/browser_login.h: enrolment of a refresh token in a browser (authorization code with PKCE).
#pragma once
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "broker/enrolment.h"
#include "broker/entra/authorization_code.h"

namespace broker {

/// One login under way. Not thread-safe: one per login. Borrows what the ports refer to.
class BrowserLogin {
 public:
  /// `store` gets the refresh token; it must be the one that the credential's vault reads.
  BrowserLogin(Minter::Ports ports, SealedStore& store, policy::Config config,
               policy::Credential credential)
      : enrolment_(ports, store, std::move(config), std::move(credential)) {}

  /// What to do where Entra shows AADSTS50011 instead of coming back: for the operator.
  static std::string Advice(const policy::Credential& credential);
  /// The address that the person opens. `port` is where somebody listens on this machine's
  /// loopback, or will have the address pasted; `login_hint` what the operator typed, or empty.
  std::expected<std::string, Refusal> Start(uint16_t port, std::string login_hint);
  /// What the browser asked the listener for, or the address that was pasted. Answers of other
  /// logins and what is no answer are refused, and the login goes on; a right one ends it, whatever
  /// comes of it: the code serves once. Returns what the registration is consented to. Refuses
  /// kValueOutOfRange (not an answer of this login), kLoginRequired (the person said no, or the
  /// login is over: start anew), as Entra's error says, and with what Enrolment::Finish refuses.
  /// REQUIRES: Start() succeeded.
  std::expected<std::vector<std::string>, Refusal> Finish(std::string_view redirect);
  [[nodiscard]] bool over() const { return over_; }
  /// By which the answer is known. In the address, too. REQUIRES: Start() succeeded.
  [[nodiscard]] const std::string& state() const { return login_.state; }

 private:
  Enrolment enrolment_;
  entra::LoginSecrets login_;
  std::string redirect_uri_;
  bool over_ = false;
};

}  // namespace broker
