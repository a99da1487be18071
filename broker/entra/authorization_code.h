// broker/entra/authorization_code.h: a person's login in a browser (RFC 6749 §4.1, RFC 7636).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "broker/base/result.h"
#include "broker/base/secret.h"
#include "broker/entra/login_redirect.h"
#include "broker/entra/token_request.h"
#include "broker/ports/random.h"

namespace broker::entra {

/// What one login is bound to. The verifier never leaves this process but to the token endpoint.
struct LoginSecrets {
  Secret verifier;        // RFC 7636 §4.1: 43 characters
  std::string challenge;  // S256 of it
  std::string state;      // RFC 6749 §10.12
};
LoginSecrets NewLoginSecrets(Random& random);

/// Where the browser comes back to: "http://localhost:PORT", RFC 8252 §7.3 as Entra takes it for
/// desktop applications with any port.
std::string LoopbackRedirect(uint16_t port);

struct AuthorizeAsk {
  std::string client_id;
  std::string redirect_uri;
  std::string scope;       // as ScopeText() makes it; offline_access is added
  std::string login_hint;  // an address that the operator typed, or empty
};
/// The address to open. Nothing secret is in it.
std::string AuthorizeUrl(const Authority& authority, const AuthorizeAsk& ask,
                         const LoginSecrets& login);

/// ReadRedirect() of this login's answer.
inline Result<Secret> ReadRedirect(std::string_view target, const LoginSecrets& login) {
  return ReadRedirect(target, login.state);
}

}  // namespace broker::entra
