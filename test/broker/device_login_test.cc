#include "broker/device_login.h"

#include <doctest/doctest.h>

#include "test/broker/mint_bench.h"

using namespace entra_answers;
using broker::ErrorCode;
using broker::Reason;
using broker::Secret;
using broker::SecretKind;
using std::chrono::seconds;

namespace {

constexpr const char* kCode =
    R"({"device_code":"the-device-code","user_code":"WDJB-MJHT",)"
    R"("verification_uri":"https://microsoft.com/devicelogin","expires_in":900,"interval":5})";

struct Setup : MintBench {
  Setup() { credential.scopes = {"Mail.Read"}; }
  void Begin() {
    login = std::make_unique<broker::DeviceLogin>(ports(), vault.store, config, credential);
  }
  void Start() {
    Begin();
    http.Push(200, kCode);
    REQUIRE(login->Start().has_value());
  }
  std::expected<bool, broker::Refusal> PollOn(int status, const std::string& body) {
    http.Push(status, body);
    return login->Poll();
  }
  bool stored() { return vault.store.Get({"aid-mail", SecretKind::kRefreshToken}).has_value(); }

  std::unique_ptr<broker::DeviceLogin> login;
};

}  // namespace

TEST_CASE("A person logs in, and the refresh token is stored") {
  Setup setup;
  setup.Begin();
  setup.http.Push(200, kCode);
  const auto prompt = setup.login->Start();
  REQUIRE(prompt.has_value());
  CHECK(prompt->user_code == "WDJB-MJHT");
  CHECK(prompt->verification_uri == "https://microsoft.com/devicelogin");
  CHECK(prompt->expires_in == seconds(900));
  CHECK(prompt->interval == seconds(5));
  CHECK(setup.http.seen[0].url ==
        "https://login.microsoftonline.com/" + std::string(kTenant) + "/oauth2/v2.0/devicecode");
  CHECK(setup.http.seen[0].body ==
        "client_id=" + std::string(kClient) +
            "&scope=https%3A%2F%2Fgraph.microsoft.com%2FMail.Read%20offline_access");

  const auto pending = setup.PollOn(400, ErrorBody("authorization_pending", 70016));
  REQUIRE(pending.has_value());
  CHECK_FALSE(*pending);
  CHECK(setup.login->interval() == seconds(5));
  CHECK_FALSE(setup.stored());

  auto claims = UserClaims();
  claims["scp"] = "Mail.Read Mail.Send";
  const auto done = setup.PollOn(200, TokenBody(claims, "fresh"));
  REQUIRE(done.has_value());
  CHECK(*done);
  CHECK(setup.http.seen[2].body ==
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&client_id=" +
            std::string(kClient) + "&device_code=the-device-code");
  const auto stored = setup.vault.store.Get({"aid-mail", SecretKind::kRefreshToken});
  REQUIRE(stored.has_value());
  CHECK(stored->value.Expose(broker::Exit::kTest) == "fresh");
  CHECK(setup.login->consented() == std::vector<std::string>{"Mail.Read", "Mail.Send"});
}

TEST_CASE("A login of somebody or something else stores nothing") {
  struct Row {
    const char* what;
    const char* claim;
    nlohmann::json value;
  };
  const Row rows[] = {
      {"another user", "oid", "99999999-0000-4000-8000-000000000009"},
      {"another tenant", "tid", "99999999-0000-4000-8000-000000000009"},
      {"another application", "appid", "99999999-0000-4000-8000-000000000009"},
      {"another audience", "aud", "https://vault.azure.net"},
      {"already expired", "exp", NowUnix()},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Setup setup;
    setup.Start();
    auto claims = UserClaims();
    claims[row.claim] = row.value;
    const auto got = setup.PollOn(200, TokenBody(claims, "fresh"));
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().reason == Reason::kMintedMismatch);
    CHECK_FALSE(setup.stored());
  }
}

TEST_CASE("A login that yields no refresh token, or one that cannot be kept, is refused") {
  Setup setup;
  setup.Start();
  const auto without = setup.PollOn(200, TokenBody(UserClaims()));
  REQUIRE_FALSE(without.has_value());
  CHECK(without.error().reason == Reason::kConsentRequired);

  Setup sealed;
  sealed.Start();
  sealed.vault.store.fail_with = ErrorCode::kUnavailable;
  const auto unstored = sealed.PollOn(200, TokenBody(UserClaims(), "fresh"));
  REQUIRE_FALSE(unstored.has_value());
  CHECK(unstored.error().reason == Reason::kStoreUnavailable);
}

TEST_CASE("The interval grows as RFC 8628 says") {
  Setup setup;
  setup.Start();
  REQUIRE(setup.PollOn(400, ErrorBody("slow_down", 0)).has_value());
  CHECK(setup.login->interval() == seconds(10));
  setup.http.PushFailure(ErrorCode::kUnavailable, "timeout");
  REQUIRE(setup.login->Poll().has_value());
  CHECK(setup.login->interval() == seconds(20));
  for (int i = 0; i < 3; ++i) REQUIRE(setup.PollOn(503, "").has_value());
  CHECK(setup.login->interval() == broker::DeviceGrant::kLongestInterval);
  REQUIRE(setup.PollOn(429, "").has_value());
  CHECK(setup.login->interval() == seconds(60));
}

TEST_CASE("A login ends when the person declines, the code expires or Entra refuses") {
  struct Row {
    const char* error;
    int aadsts;
    Reason reason;
  };
  for (const Row& row : {Row{"authorization_declined", 999999, Reason::kLoginRequired},
                         Row{"expired_token", 70019, Reason::kLoginRequired},
                         Row{"bad_verification_code", 999999, Reason::kUpstreamRejected},
                         Row{"invalid_client", 7000215, Reason::kCredentialRejected},
                         Row{"access_denied", 53003, Reason::kConditionalAccess}}) {
    CAPTURE(row.error);
    Setup setup;
    setup.Start();
    const auto got = setup.PollOn(400, ErrorBody(row.error, row.aadsts));
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().reason == row.reason);
    CHECK(got.error().hint.find("prose") == std::string::npos);
  }
  Setup late;
  late.Start();
  late.clock.Advance(seconds(900));
  REQUIRE_FALSE(late.login->Poll().has_value());
  CHECK(late.http.seen.size() == 1);  // the code's end is known without asking
}

TEST_CASE("A confidential client is known again when the code is redeemed, and that is recorded") {
  Setup setup;
  setup.credential.confidential = true;
  const Secret secret = Secret::CopyOf("app-secret");
  REQUIRE(setup.vault.store.Put({"aid-mail", SecretKind::kClientSecret}, secret, 0).has_value());
  setup.Start();
  REQUIRE(setup.ledger.entries.size() == 1);
  CHECK(setup.ledger.entries[0].type == broker::ledger::EntryType::kCredentialAccess);
  REQUIRE(setup.PollOn(400, ErrorBody("authorization_pending", 70016)).has_value());
  CHECK(setup.http.seen[0].body.find("app-secret") == std::string::npos);
  CHECK(setup.http.seen[1].body.find("&client_secret=app-secret&") != std::string::npos);

  Setup unrecorded;
  unrecorded.credential.confidential = true;
  unrecorded.ledger.fail_with = ErrorCode::kUnavailable;
  unrecorded.Begin();
  const auto got = unrecorded.login->Start();
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error().reason == Reason::kLedgerUnavailable);
  CHECK(unrecorded.http.seen.empty());
}

TEST_CASE("A login cannot start for what is no user's credential, or on a strange answer") {
  Setup app;
  app.credential.kind = "client-secret";
  app.Begin();
  CHECK_FALSE(app.login->Start().has_value());
  CHECK(app.http.seen.empty());

  Setup strange;
  strange.Begin();
  strange.http.Push(200, "{}");
  const auto got = strange.login->Start();
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error().reason == Reason::kUpstreamInvalid);
}

TEST_CASE("Of several resources Graph's scopes are asked for, else those of the first") {
  Setup graph;
  graph.credential.scopes = {"https://vault.azure.net/user_impersonation", "Mail.Read",
                             "User.Read"};
  graph.Start();
  CHECK(
      graph.http.seen[0].body.find(
          "scope=https%3A%2F%2Fgraph.microsoft.com%2FMail.Read%20https%3A%2F%2Fgraph.microsoft.com"
          "%2FUser.Read%20offline_access") != std::string::npos);
  Setup other;
  other.credential.scopes = {"https://vault.azure.net/user_impersonation", "api://other/x"};
  other.Start();
  CHECK(other.http.seen[0].body.find(
            "scope=https%3A%2F%2Fvault.azure.net%2Fuser_impersonation%20") != std::string::npos);
}
