#include "broker/minter.h"

#include <doctest/doctest.h>

#include "test/broker/mint_bench.h"
#include "test/fakes/test_certificate.h"

using namespace entra_answers;
using broker::ErrorCode;
using broker::Reason;
using broker::Secret;
using broker::SecretKind;
using std::chrono::milliseconds, std::chrono::seconds;

TEST_CASE("A refresh token yields an access token, and the rotated one is stored") {
  MinterBench setup;
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

TEST_CASE("A token is due for renewal when Entra says so, else at 80 % of its life") {
  // clang-format off
  struct Row { const char* why; nlohmann::json refresh_in; milliseconds due; };
  const Row rows[] = {
      {"Entra says nothing",            nullptr, milliseconds(2879200)},
      {"Entra says half of its life",   1799,    seconds(1799)},
      {"Entra says after its life",     7200,    seconds(3599)},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    MinterBench setup;
    auto body = nlohmann::json::parse(TokenBody(UserClaims()));
    if (!row.refresh_in.is_null()) body["refresh_in"] = row.refresh_in;
    setup.http.Push(200, body.dump());
    const auto token = setup.Mint();
    REQUIRE(token.has_value());
    CHECK((*token)->refresh_at - setup.clock.Now() == row.due);
  }
}

TEST_CASE("A confidential client sends its secret with the refresh token") {
  MinterBench setup;
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
  MinterBench setup("client-secret");
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
  MinterBench setup("certificate");
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

  MinterBench broken("certificate");  // its stored secret is no PEM bundle
  CHECK(ReasonOf(broken.Mint()) == Reason::kCredentialRejected);
  CHECK(broken.http.seen.empty());
}

TEST_CASE("No audit, no secret: the access stands in the ledger before the vault is read") {
  MinterBench setup;
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
  MinterBench setup;
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
    broker::VaultResult<broker::VaultSecret> Fetch(const broker::SecretId&) override {
      return broker::VaultSecret{Secret::CopyOf("old"), "7"};
    }
    broker::VaultResult<std::string> Replace(const broker::SecretId&, const std::string& expected,
                                             const Secret&) override {
      CHECK(expected == "7");
      return broker::Fail(fail_with, "fake");
    }
    ErrorCode fail_with = ErrorCode::kUnavailable;
  } vault;
  MinterBench setup;
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
    MinterBench setup;
    setup.vault.store.fail_with = row.code;
    CHECK(ReasonOf(setup.Mint()) == row.reason);
    CHECK(setup.http.seen.empty());
  }
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
    MinterBench setup;
    setup.http.Push(200, body);
    CHECK(ReasonOf(setup.Mint()) == Reason::kUpstreamInvalid);
  }
  MinterBench setup;
  setup.http.PushFailure(ErrorCode::kDenied, "host is not listed");
  CHECK(ReasonOf(setup.Mint()) == Reason::kUpstreamRejected);
}

TEST_CASE("A token of the future is refused") {
  MinterBench setup;
  auto claims = UserClaims();
  claims["nbf"] = NowUnix() + 3600;
  setup.http.Push(200, TokenBody(claims));
  CHECK(ReasonOf(setup.Mint()) == Reason::kMintedMismatch);
}
