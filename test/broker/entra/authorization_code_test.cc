#include "broker/entra/authorization_code.h"

#include <doctest/doctest.h>
#include <sodium.h>

#include <array>

#include "broker/base/base64.h"
#include "test/fakes/fake_random.h"

using broker::ErrorCode, broker::Exit, broker::Secret;
using broker::entra::Authority, broker::entra::LoginSecrets, broker::entra::ReadRedirect;

namespace {

const Authority kAuthority{"https://login.example", "tenant"};

LoginSecrets Login() {
  LoginSecrets login;
  login.verifier = Secret::CopyOf("verifier");
  login.challenge = "challenge";
  login.state = "the-state";
  return login;
}

}  // namespace

TEST_CASE("Each login has a verifier, its challenge and a state of its own") {
  FakeRandom random;
  const LoginSecrets first = broker::entra::NewLoginSecrets(random);
  const LoginSecrets second = broker::entra::NewLoginSecrets(random);
  CHECK(first.verifier.size() == 43);
  CHECK(first.state.size() == 43);
  CHECK(first.state != second.state);
  CHECK(first.challenge != second.challenge);
  CHECK(first.verifier.Expose(Exit::kTest) != first.state);
  // RFC 7636, appendix B.
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
  const auto text = first.verifier.Expose(Exit::kTest);
  crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(text.data()),
                     text.size());
  CHECK(first.challenge ==
        broker::Base64UrlEncode({reinterpret_cast<const char*>(digest.data()), digest.size()}));
}

TEST_CASE("The address to open asks for a code, and holds nothing that redeems it") {
  broker::entra::AuthorizeAsk ask{"client", broker::entra::LoopbackRedirect(40123),
                                  "https://graph.example/Mail.Read", ""};
  const std::string url = broker::entra::AuthorizeUrl(kAuthority, ask, Login());
  CHECK(url ==
        "https://login.example/tenant/oauth2/v2.0/authorize?response_type=code&response_mode=query"
        "&client_id=client&redirect_uri=http%3A%2F%2Flocalhost%3A40123"
        "&scope=https%3A%2F%2Fgraph.example%2FMail.Read%20offline_access"
        "&state=the-state&code_challenge=challenge&code_challenge_method=S256");
  ask.login_hint = "a+b@contoso.com&prompt=none";
  CHECK(broker::entra::AuthorizeUrl(kAuthority, ask, Login()) ==
        url + "&login_hint=a%2Bb%40contoso.com%26prompt%3Dnone");
  CHECK(url.find("verifier") == std::string::npos);
}

TEST_CASE("A code comes back with the state that went out, however it comes back") {
  const std::pair<const char*, const char*> rows[] = {
      {"/?code=abc&state=the-state", "abc"},
      {"/?state=the-state&session_state=9&code=abc", "abc"},
      {"http://localhost:40123/?code=a%2Bb%20c+d&state=the-state", "a+b c d"},
      {"http://localhost:40123?code=abc&state=the%2Dstate#frag", "abc"},
  };
  for (const auto& [target, code] : rows) {
    CAPTURE(target);
    const auto got = ReadRedirect(target, Login());
    REQUIRE(got.has_value());
    CHECK(got->Expose(Exit::kTest) == code);
  }
}

TEST_CASE("Everything else that a browser brings is refused") {
  struct Row {
    std::string target;
    ErrorCode want;
    const char* says;
  };
  const Row rows[] = {
      {"", ErrorCode::kInvalidRequest, "no answer"},
      {"/", ErrorCode::kInvalidRequest, "no answer"},
      {"/favicon.ico", ErrorCode::kInvalidRequest, "no answer"},
      {"/?", ErrorCode::kInvalidRequest, "no state"},
      {"/?code=abc", ErrorCode::kInvalidRequest, "no state"},
      {"/?state=the-state", ErrorCode::kInvalidRequest, "no code"},
      {"/?code=&state=the-state", ErrorCode::kInvalidRequest, "no code"},
      {"/?code=abc&state=", ErrorCode::kConflict, "another login"},
      {"/?code=abc&state=the-stat", ErrorCode::kConflict, "another login"},
      {"/?code=abc&state=the-state2", ErrorCode::kConflict, "another login"},
      {"/?code=abc&state=The-State", ErrorCode::kConflict, "another login"},
      {"/?code=a&code=b&state=the-state", ErrorCode::kInvalidRequest, "malformed"},
      {"/?code=a&state=x&state=the-state", ErrorCode::kInvalidRequest, "malformed"},
      {"/?code&state=the-state", ErrorCode::kInvalidRequest, "malformed"},
      {"/?code=a%2&state=the-state", ErrorCode::kInvalidRequest, "malformed"},
      {"/?code=a%zz&state=the-state", ErrorCode::kInvalidRequest, "malformed"},
      {"/?code=a%0d%0ab&state=the-state", ErrorCode::kInvalidRequest, "malformed"},
      {"/#code=abc&state=the-state", ErrorCode::kInvalidRequest, "no answer"},
      {"/?code=abc&state=the-state" + std::string(9000, 'x'), ErrorCode::kInvalidRequest, "long"},
      {"/?error=access_denied&error_description=ada%40contoso.com&state=the-state",
       ErrorCode::kDenied, "Entra answered access_denied"},
      {"/?error=access_denied&code=abc&state=the-state", ErrorCode::kDenied, "access_denied"},
      {"/?error=ada%40contoso.com&state=the-state", ErrorCode::kDenied, "answered an error"},
      {"/?error=access_denied&state=other", ErrorCode::kConflict, "another login"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.target.substr(0, 80));
    const auto got = ReadRedirect(row.target, Login());
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().code == row.want);
    CHECK(got.error().detail.find(row.says) != std::string::npos);
    CHECK(got.error().detail.find("contoso") == std::string::npos);
  }
  LoginSecrets none = Login();
  none.state.clear();
  CHECK_FALSE(ReadRedirect("/?code=abc&state=", none).has_value());
}

TEST_CASE("A code is redeemed with its verifier, at the token endpoint") {
  const Secret code = Secret::CopyOf("the code");
  const Secret verifier = Secret::CopyOf("verifier");
  const auto request = broker::entra::AuthorizationCodeGrant(
      kAuthority, {"client", {}, {}}, {code, verifier, "http://localhost:40123"},
      {"https://graph.example/Mail.Read", {}, "r-1"});
  CHECK(request.url == "https://login.example/tenant/oauth2/v2.0/token");
  CHECK(request.body.Expose(Exit::kTest) ==
        "grant_type=authorization_code&client_id=client&code=the%20code&code_verifier=verifier"
        "&redirect_uri=http%3A%2F%2Flocalhost%3A40123"
        "&scope=https%3A%2F%2Fgraph.example%2FMail.Read%20offline_access");
}
