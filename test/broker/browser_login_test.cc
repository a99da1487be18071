#include "broker/browser_login.h"

#include <doctest/doctest.h>

#include "test/broker/mint_bench.h"

using namespace entra_answers;
using broker::Reason, broker::SecretKind;

namespace {

struct Setup : MintBench {
  Setup() { credential.scopes = {"Mail.Read"}; }
  void Start() {
    login = std::make_unique<broker::BrowserLogin>(ports(), vault.store, config, credential);
    const auto opened = login->Start(40123, "");
    REQUIRE(opened.has_value());
    url = *opened;
    const size_t at = url.find("&state=") + 7;
    state = url.substr(at, url.find('&', at) - at);
  }
  std::string Good() const { return "/?code=the-code&state=" + state; }
  bool stored() { return vault.store.Get({"aid-mail", SecretKind::kRefreshToken}).has_value(); }
  Reason Refused(const std::string& redirect) {
    const auto got = login->Finish(redirect);
    REQUIRE_FALSE(got.has_value());
    return got.error().reason;
  }

  std::unique_ptr<broker::BrowserLogin> login;
  std::string url, state;
};

}  // namespace

TEST_CASE("A person logs in with a browser, and the refresh token is stored") {
  Setup setup;
  setup.Start();
  CHECK(setup.url.starts_with("https://login.microsoftonline.com/" + std::string(kTenant) +
                              "/oauth2/v2.0/authorize?response_type=code"));
  CHECK(setup.http.seen.empty());
  setup.http.Push(200, TokenBody(UserClaims(), "the-refresh-token", "Mail.Read"));
  const auto consented = setup.login->Finish(setup.Good());
  REQUIRE(consented.has_value());
  CHECK(*consented == std::vector<std::string>{"Mail.Read"});
  CHECK(setup.stored());
  REQUIRE(setup.http.seen.size() == 1);
  CHECK(setup.http.seen[0].body.find("&code=the-code&code_verifier=") != std::string::npos);
  CHECK(setup.http.seen[0].body.find("&redirect_uri=http%3A%2F%2Flocalhost%3A40123&") !=
        std::string::npos);
  CHECK(setup.Refused(setup.Good()) == Reason::kLoginRequired);  // a code serves once
  CHECK(setup.http.seen.size() == 1);
}

TEST_CASE("What is not this login's answer changes nothing, and the right one still serves") {
  Setup setup;
  setup.Start();
  for (const char* other : {"", "/favicon.ico", "/?code=x&state=other", "/?code=x",
                            "/?error=access_denied&state=other"}) {
    CAPTURE(other);
    CHECK(setup.Refused(other) == Reason::kValueOutOfRange);
    CHECK_FALSE(setup.login->over());
  }
  CHECK(setup.http.seen.empty());
  setup.http.Push(200, TokenBody(UserClaims(), "the-refresh-token"));
  CHECK(setup.login->Finish("http://localhost:40123" + setup.Good()).has_value());
}

TEST_CASE("A login that was declined, or of somebody else, stores nothing in a browser either") {
  Setup declined;
  declined.Start();
  CHECK(declined.Refused("/?error=access_denied&state=" + declined.state) ==
        Reason::kLoginRequired);
  CHECK(declined.Refused(declined.Good()) == Reason::kLoginRequired);
  CHECK(declined.http.seen.empty());

  struct Row {
    const char* claim;
    const char* value;
  };
  for (const Row& row : {Row{"oid", kClient}, Row{"tid", kClient}, Row{"appid", kUser},
                         Row{"aud", "https://vault.azure.net"}}) {
    CAPTURE(row.claim);
    Setup setup;
    setup.Start();
    auto claims = UserClaims();
    claims[row.claim] = row.value;
    setup.http.Push(200, TokenBody(claims, "the-refresh-token"));
    CHECK(setup.Refused(setup.Good()) == Reason::kMintedMismatch);
    CHECK_FALSE(setup.stored());
  }
  Setup without;
  without.Start();
  without.http.Push(200, TokenBody(UserClaims()));
  CHECK(without.Refused(without.Good()) == Reason::kConsentRequired);
  Setup refused;
  refused.Start();
  refused.http.Push(400, ErrorBody("invalid_grant", 70008));
  CHECK(refused.Refused(refused.Good()) == Reason::kLoginRequired);
  CHECK_FALSE(refused.stored());
}

TEST_CASE("Why the browser came back without a code is said by its reason") {
  struct Row {
    const char* word;
    Reason reason;
    const char* says;
  };
  for (const Row& row : {Row{"access_denied", Reason::kLoginRequired, "The person declined."},
                         Row{"consent_required", Reason::kConsentRequired, "consent_required"},
                         Row{"invalid_client", Reason::kCredentialRejected, "invalid_client"},
                         Row{"unauthorized_client", Reason::kPrincipalDisabled, "unauthorized"},
                         Row{"invalid_request", Reason::kUpstreamRejected, "invalid_request"},
                         Row{"server_error", Reason::kUpstreamUnavailable, "server_error"},
                         Row{"of_another_kind", Reason::kUpstreamRejected, "of_another_kind"},
                         Row{"ada%40contoso.com", Reason::kUpstreamRejected, "back error."}}) {
    CAPTURE(row.word);
    Setup setup;
    setup.Start();
    const auto got = setup.login->Finish(std::string("/?error=") + row.word +
                                         "&error_description=Ada&state=" + setup.state);
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().reason == row.reason);
    CHECK(got.error().hint.find(row.says) != std::string::npos);
    CHECK(got.error().hint.find("da") == std::string::npos);
    CHECK(setup.login->over());
    CHECK(setup.http.seen.empty());
  }
}

TEST_CASE("A registration that does not fit a login by browser is told how to be mended") {
  struct Row {
    int aadsts;
    const char* says;
  };
  for (const Row& row : {Row{7000218, "Mobile and desktop applications"}, Row{700025, "\"Web\""},
                         Row{9002327, "single-page application"}}) {
    CAPTURE(row.aadsts);
    Setup setup;
    setup.Start();
    setup.http.Push(401, ErrorBody("invalid_client", row.aadsts));
    const auto got = setup.login->Finish(setup.Good());
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().hint.find(row.says) != std::string::npos);
    CHECK_FALSE(setup.stored());
  }
  Setup setup;
  const std::string command = "az ad app update --id " + std::string(kClient);
  CHECK(broker::BrowserLogin::Advice(setup.credential)
            .find(command + " --public-client-redirect-uris http://localhost") !=
        std::string::npos);
  setup.credential.confidential = true;
  CHECK(broker::BrowserLogin::Advice(setup.credential)
            .find(command + " --web-redirect-uris http://localhost") != std::string::npos);
}

TEST_CASE("Only a user's credential logs in with a browser") {
  for (const char* kind : {"client-secret", "managed-identity", "on-behalf-of"}) {
    MintBench bench(kind);
    bench.credential.scopes = {"Mail.Read"};
    broker::BrowserLogin login(bench.ports(), bench.vault.store, bench.config, bench.credential);
    CHECK_FALSE(login.Start(1, "").has_value());
  }
}
