#include "broker/minter.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <array>

#include "broker/credential_access.h"
#include "broker/upstream_guard.h"
#include "test/fakes/entra_answers.h"
#include "test/fakes/fake_http.h"
#include "test/fakes/fake_ledger.h"
#include "test/fakes/fake_random.h"
#include "test/fakes/fake_sleeper.h"
#include "test/fakes/fake_store.h"
#include "test/fakes/test_certificate.h"

using namespace entra_answers;
using broker::ErrorCode;
using broker::Reason;
using broker::Secret;
using broker::SecretKind;
using std::chrono::seconds;

namespace {

/// A minter with one credential and a vault that holds its secret.
struct Setup {
  explicit Setup(const std::string& kind = "refresh-token") {
    config.tenant = {kTenant, "public", "https://login.microsoftonline.com", kGraph};
    credential.name = "aid-mail";
    credential.kind = kind;
    credential.client_id = kClient;
    credential.user = kind == "refresh-token" ? kUser : "";
    key = {credential.name, kGraph, {"Mail.Read"}, "", credential.user};
    if (kind != "refresh-token") key.scopes = {".default"};
    who.agent = "helpdesk";
    who.request_id = "0198c0de-0000-7000-8000-000000000005";
    const auto secret_kind = broker::SecretKindOf(credential).value();
    const Secret secret = Secret::CopyOf("stored s&cret+1");
    REQUIRE(vault.store.Put({credential.name, secret_kind}, secret, 0).has_value());
  }
  broker::MintResult Mint() { return minter.Mint(config, credential, key, who); }
  std::string Stored(SecretKind kind = SecretKind::kRefreshToken) {
    return std::string(vault.store.Get({credential.name, kind})->value.Expose(broker::Exit::kTest));
  }

  broker::policy::Config config;
  broker::policy::Credential credential;
  broker::TokenKey key;
  broker::ledger::Entry who;
  FakeHttp http;
  FakeVault vault;
  FakeLedger ledger;
  FakeClock clock;
  FakeRandom random;
  FakeSleeper sleeper;
  Secret fingerprint_key = Secret::CopyOf(std::string(broker::Minter::kFingerprintKeyBytes, 'k'));
  broker::Minter minter{{http, vault, ledger, clock, random, sleeper, fingerprint_key}};
};

Reason ReasonOf(const broker::MintResult& result) {
  REQUIRE_FALSE(result.has_value());
  return result.error().reason;
}

}  // namespace

TEST_CASE("A refresh token yields an access token, and the rotated one is stored") {
  Setup setup;
  setup.http.Push(200, TokenBody(UserClaims(), "rotated", "Mail.Read"));
  const auto token = setup.Mint();
  REQUIRE(token.has_value());
  CHECK((*token)->scopes == std::vector<std::string>{"Mail.Read"});
  CHECK((*token)->user_oid == kUser);
  CHECK((*token)->uti == "uti-1");
  CHECK_FALSE((*token)->app_only);
  CHECK((*token)->expires_at - setup.clock.Now() == seconds(3599));
  CHECK((*token)->refresh_at - setup.clock.Now() < seconds(2900));
  CHECK((*token)->fingerprint.size() == 64);
  CHECK((*token)->credential_version == "1");
  CHECK(setup.Stored() == "rotated");
  REQUIRE(setup.http.seen.size() == 1);
  CHECK(setup.http.seen[0].url ==
        "https://login.microsoftonline.com/" + std::string(kTenant) + "/oauth2/v2.0/token");
  CHECK(setup.http.seen[0].body ==
        "grant_type=refresh_token&client_id=" + std::string(kClient) +
            "&refresh_token=stored%20s%26cret%2B1"
            "&scope=https%3A%2F%2Fgraph.microsoft.com%2FMail.Read%20offline_access");
}

TEST_CASE("A confidential client sends its secret with the refresh token") {
  Setup setup;
  setup.credential.confidential = true;
  const Secret client_secret = Secret::CopyOf("app-secret");
  REQUIRE(setup.vault.store.Put({"aid-mail", SecretKind::kClientSecret}, client_secret, 0));
  setup.http.Push(200, TokenBody(UserClaims()));
  REQUIRE(setup.Mint().has_value());
  CHECK(setup.http.seen[0].body.find("&client_secret=app-secret&refresh_token=") !=
        std::string::npos);
  CHECK(setup.Stored() == "stored s&cret+1");  // none was sent back: the old one stays
}

TEST_CASE("A client secret asks for .default and yields an application's token") {
  Setup setup("client-secret");
  setup.key.scopes = {"User.Read.All"};  // Entra knows no single application permissions
  setup.http.Push(200, TokenBody(AppClaims(), "uninvited"));
  const auto token = setup.Mint();
  REQUIRE(token.has_value());
  CHECK((*token)->app_only);
  CHECK((*token)->user_oid.empty());
  CHECK((*token)->scopes == std::vector<std::string>{"User.Read.All"});
  CHECK(setup.http.seen[0].body ==
        "grant_type=client_credentials&client_id=" + std::string(kClient) +
            "&client_secret=stored%20s%26cret%2B1"
            "&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default");
  CHECK(setup.Stored(SecretKind::kClientSecret) == "stored s&cret+1");
}

TEST_CASE("A certificate signs an assertion, a new one for each request") {
  Setup setup("certificate");
  const auto made = TestCertificate::Rsa();
  const Secret pem = Secret::CopyOf(made.KeyPem() + made.CertificatePem());
  REQUIRE(setup.vault.store.Put({"aid-mail", SecretKind::kCertificate}, pem, 1).has_value());
  setup.http.Push(503, "");
  setup.http.Push(200, TokenBody(AppClaims()));
  const auto token = setup.Mint();
  REQUIRE(token.has_value());
  CHECK((*token)->credential_version == "2");
  REQUIRE(setup.http.seen.size() == 2);
  const std::string start = "grant_type=client_credentials&client_id=" + std::string(kClient) +
                            "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A"
                            "client-assertion-type%3Ajwt-bearer&client_assertion=eyJ";
  CHECK(setup.http.seen[0].body.starts_with(start));
  CHECK(setup.http.seen[1].body.starts_with(start));
  CHECK(setup.http.seen[0].body != setup.http.seen[1].body);

  Setup broken("certificate");  // its stored secret is no PEM bundle
  CHECK(ReasonOf(broken.Mint()) == Reason::kCredentialRejected);
  CHECK(broken.http.seen.empty());
}

TEST_CASE("No audit, no secret: the access stands in the ledger before the vault is read") {
  Setup setup;
  setup.http.Push(200, TokenBody(UserClaims()));
  REQUIRE(setup.Mint().has_value());
  REQUIRE(setup.ledger.entries.size() == 1);
  const auto& entry = setup.ledger.entries[0];
  CHECK(entry.type == broker::ledger::EntryType::kCredentialAccess);
  CHECK(entry.outcome == broker::ledger::Outcome::kSuccess);
  CHECK(entry.agent == "helpdesk");
  CHECK(entry.request_id == setup.who.request_id);
  CHECK(entry.credential_name == "aid-mail");
  CHECK(entry.credential_kind == "refresh-token");
  CHECK(entry.upstream_host == "login.microsoftonline.com");
  CHECK(entry.target_resource == kGraph);

  setup.ledger.fail_with = ErrorCode::kUnavailable;
  CHECK(ReasonOf(setup.Mint()) == Reason::kLedgerUnavailable);
  setup.ledger.fail_with = ErrorCode::kDenied;
  CHECK(ReasonOf(setup.Mint()) == Reason::kKilled);
  CHECK(setup.http.seen.size() == 1);
}

TEST_CASE("A refused mint is in the ledger with its reason, the version and the status") {
  Setup setup;
  setup.http.Push(400, ErrorBody("invalid_grant", 65001));
  CHECK(ReasonOf(setup.Mint()) == Reason::kConsentRequired);
  REQUIRE(setup.ledger.entries.size() == 2);
  CHECK(setup.ledger.entries[1].outcome == broker::ledger::Outcome::kFailure);
  CHECK(setup.ledger.entries[1].reason == "consent_required");
  CHECK(setup.ledger.entries[1].credential_version == "1");
  CHECK(setup.ledger.entries[1].upstream_status == 400);
}

TEST_CASE("No rotation stored, no token") {
  struct FailingVault final : broker::Vault {
    broker::Result<broker::VaultSecret> Fetch(const broker::SecretId&) override {
      return broker::VaultSecret{Secret::CopyOf("old"), "7"};
    }
    broker::Result<std::string> Replace(const broker::SecretId&, const std::string& expected,
                                        const Secret&) override {
      CHECK(expected == "7");
      return broker::Fail(fail_with, "fake");
    }
    ErrorCode fail_with = ErrorCode::kUnavailable;
  } vault;
  Setup setup;
  broker::Minter minter({setup.http, vault, setup.ledger, setup.clock, setup.random, setup.sleeper,
                         setup.fingerprint_key});
  for (const auto code : {ErrorCode::kUnavailable, ErrorCode::kCorrupt, ErrorCode::kDenied}) {
    vault.fail_with = code;
    setup.http.Push(200, TokenBody(UserClaims(), "rotated"));
    CHECK(ReasonOf(minter.Mint(setup.config, setup.credential, setup.key, setup.who)) ==
          Reason::kStoreUnavailable);
  }
  vault.fail_with = ErrorCode::kConflict;  // a newer one stands already, and stays
  setup.http.Push(200, TokenBody(UserClaims(), "rotated"));
  CHECK(minter.Mint(setup.config, setup.credential, setup.key, setup.who).has_value());
}

TEST_CASE("A secret that cannot be read is refused without a request") {
  struct Row {
    ErrorCode code;
    Reason reason;
  };
  for (const Row& row : {Row{ErrorCode::kNotFound, Reason::kCredentialNotEnrolled},
                         Row{ErrorCode::kUnavailable, Reason::kStoreUnavailable},
                         Row{ErrorCode::kCorrupt, Reason::kStoreUnavailable},
                         Row{ErrorCode::kDenied, Reason::kStoreUnavailable}}) {
    Setup setup;
    setup.vault.store.fail_with = row.code;
    CHECK(ReasonOf(setup.Mint()) == row.reason);
    CHECK(setup.http.seen.empty());
  }
}

TEST_CASE("A transient failure is retried once, after a wait with jitter") {
  Setup setup;
  setup.http.PushFailure(ErrorCode::kUnavailable, "connect");
  setup.http.Push(200, TokenBody(UserClaims()));
  CHECK(setup.Mint().has_value());
  REQUIRE(setup.sleeper.slept.size() == 1);
  setup.http.Push(503, "");
  setup.http.Push(503, "");
  setup.http.Push(200, TokenBody(UserClaims()));
  CHECK(ReasonOf(setup.Mint()) == Reason::kUpstreamUnavailable);
  REQUIRE(setup.sleeper.slept.size() == 2);
  CHECK(setup.sleeper.slept[0] != setup.sleeper.slept[1]);
  CHECK(setup.Mint().has_value());  // one outage does not open the breaker
}

TEST_CASE("What will not change by asking again is not asked again") {
  struct Row {
    const char* error;
    int aadsts;
    Reason reason;
  };
  for (const Row& row : {Row{"invalid_grant", 65001, Reason::kConsentRequired},
                         Row{"interaction_required", 50076, Reason::kInteractionRequired},
                         Row{"access_denied", 53003, Reason::kConditionalAccess},
                         Row{"invalid_scope", 70011, Reason::kUpstreamRejected}}) {
    Setup setup;
    setup.http.Push(400, ErrorBody(row.error, row.aadsts));
    const auto got = setup.Mint();
    CHECK(ReasonOf(got) == row.reason);
    CHECK(setup.http.seen.size() == 1);
    CHECK(setup.sleeper.slept.empty());
    CHECK(got.error().hint.empty());
    CHECK(got.error().detail.find("prose") == std::string::npos);
    CHECK(got.error().detail.find("AADSTS" + std::to_string(row.aadsts)) != std::string::npos);
  }
}

TEST_CASE("A dead grant is not tried again until a new login") {
  Setup setup;
  setup.http.Push(400, ErrorBody("invalid_grant", 50173, "bad_token"));
  CHECK(ReasonOf(setup.Mint()) == Reason::kLoginRequired);
  setup.clock.Advance(std::chrono::hours(1000));
  CHECK(ReasonOf(setup.Mint()) == Reason::kLoginRequired);
  CHECK(setup.http.seen.size() == 1);
  setup.minter.Forget("aid-mail");
  setup.http.Push(200, TokenBody(UserClaims()));
  CHECK(setup.Mint().has_value());
}

TEST_CASE("Claims that an agent sent never end a grant, they pause it") {
  Setup setup;
  setup.key.claims = R"({"access_token":{"acrs":{"essential":true,"value":"c1"}}})";
  setup.http.Push(400, ErrorBody("invalid_grant", 50173));
  CHECK(ReasonOf(setup.Mint()) == Reason::kLoginRequired);
  CHECK(ReasonOf(setup.Mint()) == Reason::kLoginRequired);
  CHECK(setup.http.seen.size() == 1);  // a dead grant is not hammered either
  setup.clock.Advance(broker::UpstreamGuard::kRejectionPause);
  setup.key.claims.clear();
  setup.http.Push(200, TokenBody(UserClaims()));
  CHECK(setup.Mint().has_value());
}

TEST_CASE("A refused secret is read again once, and used if it is another by now") {
  Setup setup;
  setup.http.respond =
      [&](const broker::HttpRequest& request) -> broker::Result<broker::HttpResponse> {
    const auto body = request.body.Expose(broker::Exit::kTest);
    if (body.find("newer") != body.npos) return FakeHttp::Answer(200, TokenBody(UserClaims()));
    const Secret newer = Secret::CopyOf("newer");
    CHECK(setup.vault.store.Put({"aid-mail", SecretKind::kRefreshToken}, newer, 1).has_value());
    return FakeHttp::Answer(400, ErrorBody("invalid_grant", 50173));
  };
  const auto token = setup.Mint();
  REQUIRE(token.has_value());
  CHECK((*token)->credential_version == "2");
  CHECK(setup.ledger.entries.size() == 2);  // the secret was read twice
}

TEST_CASE("A rejected application secret waits a minute before it is tried again") {
  Setup setup("client-secret");
  setup.http.Push(401, ErrorBody("invalid_client", 7000215));
  CHECK(ReasonOf(setup.Mint()) == Reason::kCredentialRejected);
  CHECK(ReasonOf(setup.Mint()) == Reason::kCredentialRejected);
  CHECK(setup.http.seen.size() == 1);
  setup.clock.Advance(broker::UpstreamGuard::kRejectionPause);
  setup.http.Push(200, TokenBody(AppClaims()));
  CHECK(setup.Mint().has_value());
}

TEST_CASE("No request goes out before Retry-After has passed") {
  Setup setup;
  auto throttled = FakeHttp::Answer(429, "");
  throttled.retry_after = seconds(90);
  setup.http.respond = [&](const broker::HttpRequest&) -> broker::Result<broker::HttpResponse> {
    broker::HttpResponse copy = FakeHttp::Answer(429, "");
    copy.retry_after = throttled.retry_after;
    return copy;
  };
  const auto first = setup.Mint();
  CHECK(ReasonOf(first) == Reason::kUpstreamThrottled);
  CHECK(first.error().retry_after == seconds(90));
  setup.clock.Advance(seconds(89));
  const auto second = setup.Mint();
  CHECK(ReasonOf(second) == Reason::kUpstreamThrottled);
  CHECK(second.error().retry_after == seconds(1));
  CHECK(setup.http.seen.size() == 1);
  setup.clock.Advance(seconds(1));
  CHECK(ReasonOf(setup.Mint()) == Reason::kUpstreamThrottled);
  CHECK(setup.http.seen.size() == 2);
}

TEST_CASE("After five outages in a row the breaker opens, and lets one trial through a pause") {
  using Guard = broker::UpstreamGuard;
  Setup setup;
  for (int i = 0; i < Guard::kFailuresToOpen; ++i) {
    CHECK(ReasonOf(setup.Mint()) == Reason::kUpstreamUnavailable);
  }
  const size_t asked = setup.http.seen.size();
  const auto refused = setup.Mint();
  CHECK(ReasonOf(refused) == Reason::kUpstreamUnavailable);
  CHECK(refused.error().retry_after == Guard::kFirstPause);
  CHECK(setup.http.seen.size() == asked);
  setup.clock.Advance(Guard::kFirstPause);
  CHECK(ReasonOf(setup.Mint()) == Reason::kUpstreamUnavailable);  // the trial, and its retry
  CHECK(setup.http.seen.size() == asked + 2);
  setup.clock.Advance(Guard::kFirstPause);
  CHECK(ReasonOf(setup.Mint()) == Reason::kUpstreamUnavailable);  // the pause has doubled
  CHECK(setup.http.seen.size() == asked + 2);
  setup.clock.Advance(Guard::kFirstPause);
  setup.http.Push(200, TokenBody(UserClaims()));
  CHECK(setup.Mint().has_value());
  setup.http.Push(200, TokenBody(UserClaims()));
  CHECK(setup.Mint().has_value());
}

TEST_CASE("An answer that is not a token is upstream's nonsense") {
  const std::string rows[] = {
      "",
      "[]",
      "{}",
      "<html>",
      R"({"access_token":"opaque"})",
      R"({"token_type":"Bearer","expires_in":3599,"access_token":"opaque"})"};
  for (const std::string& body : rows) {
    CAPTURE(body);
    Setup setup;
    setup.http.Push(200, body);
    CHECK(ReasonOf(setup.Mint()) == Reason::kUpstreamInvalid);
  }
  Setup setup;
  setup.http.PushFailure(ErrorCode::kDenied, "host is not listed");
  CHECK(ReasonOf(setup.Mint()) == Reason::kUpstreamRejected);
}

TEST_CASE("A token of the future is refused") {
  Setup setup;
  auto claims = UserClaims();
  claims["nbf"] = NowUnix() + 3600;
  setup.http.Push(200, TokenBody(claims));
  CHECK(ReasonOf(setup.Mint()) == Reason::kMintedMismatch);
}

TEST_CASE("A tenant configured as a domain is resolved once, and is what the token must say") {
  Setup setup;
  setup.config.tenant.id = "contoso.com";
  setup.http.Push(200, R"({"issuer":"https://login.microsoftonline.com/)" + std::string(kTenant) +
                           R"(/v2.0"})");
  setup.http.Push(200, TokenBody(UserClaims()));
  setup.http.Push(200, TokenBody(UserClaims()));
  const auto token = setup.Mint();
  REQUIRE(token.has_value());
  CHECK((*token)->tenant_domain == "contoso.com");
  REQUIRE(setup.Mint().has_value());
  REQUIRE(setup.http.seen.size() == 3);
  CHECK(setup.http.seen[0].url ==
        "https://login.microsoftonline.com/contoso.com/v2.0/.well-known/openid-configuration");

  Setup unresolved;
  unresolved.config.tenant.id = "contoso.com";
  unresolved.http.Push(200, R"({"issuer":"https://login.microsoftonline.com/common/v2.0"})");
  CHECK(ReasonOf(unresolved.Mint()) == Reason::kUpstreamInvalid);
  CHECK(unresolved.ledger.entries.empty());  // no secret was touched
}

TEST_CASE("What Entra answered is in the log, once for each attempt") {
  Setup setup;
  std::array<int, 2> ends{};
  REQUIRE(pipe(ends.data()) == 0);
  const broker::Log log(ends[1], "broker", false);
  broker::Minter minter({setup.http, setup.vault, setup.ledger, setup.clock, setup.random,
                         setup.sleeper, setup.fingerprint_key, &log});
  const std::string body = R"({"error":"invalid_grant","error_codes":[700082]})";
  setup.http.Push(400, body);
  for (int i = 0; i < 2; ++i) {
    CHECK(ReasonOf(minter.Mint(setup.config, setup.credential, setup.key, setup.who)) ==
          Reason::kLoginRequired);
  }
  close(ends[1]);
  std::array<char, 1024> bytes{};
  const ssize_t got = read(ends[0], bytes.data(), bytes.size());
  close(ends[0]);
  REQUIRE(got > 0);
  const std::string text(bytes.data(), static_cast<size_t>(got));
  CHECK(text ==
        "level=warning role=broker event=mint_failed credential=aid-mail reason=login_required "
        "why=\"Entra answered 400 invalid_grant AADSTS700082\" action=login "
        "request=0198c0de-0000-7000-8000-000000000005\n");
}
