#include "broker/entra/authorization_code.h"

#include <sodium.h>

#include <array>

#include "broker/base/base64.h"
#include "broker/entra/form.h"

namespace broker::entra {
namespace {

constexpr size_t kRandomBytes = 32;  // RFC 7636 §7.1

std::string RandomText(Random& random) {
  std::array<std::byte, kRandomBytes> bytes{};
  random.Fill(bytes);
  std::string text = Base64UrlEncode({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  sodium_memzero(bytes.data(), bytes.size());
  return text;
}

std::string ChallengeOf(const Secret& verifier) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
  const std::string_view text = verifier.Expose(Exit::kDeriveKey);
  crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(text.data()),
                     text.size());
  return Base64UrlEncode({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace

LoginSecrets NewLoginSecrets(Random& random) {
  LoginSecrets login;
  std::string verifier = RandomText(random);
  login.verifier = Secret::TakeFrom(verifier);
  login.challenge = ChallengeOf(login.verifier);
  login.state = RandomText(random);
  return login;
}

std::string LoopbackRedirect(uint16_t port) { return "http://localhost:" + std::to_string(port); }

std::string AuthorizeUrl(const Authority& authority, const AuthorizeAsk& ask,
                         const LoginSecrets& login) {
  std::string url =
      authority.base + "/" + PercentEncode(authority.tenant) +
      "/oauth2/v2.0/authorize?response_type=code&response_mode=query&client_id=" +
      PercentEncode(ask.client_id) + "&redirect_uri=" + PercentEncode(ask.redirect_uri) +
      "&scope=" + PercentEncode(ask.scope + " offline_access") + "&state=" + login.state +
      "&code_challenge=" + login.challenge + "&code_challenge_method=S256";
  if (!ask.login_hint.empty()) url += "&login_hint=" + PercentEncode(ask.login_hint);
  return url;
}

}  // namespace broker::entra
