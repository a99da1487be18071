// What a mint that failed leaves behind: retries, pauses, dead grants, a line in the log.
#include <doctest/doctest.h>
#include <unistd.h>

#include <array>

#include "broker/upstream_guard.h"
#include "test/broker/mint_bench.h"

using namespace entra_answers;
using broker::ErrorCode;
using broker::Reason;
using broker::Secret;
using broker::SecretKind;
using std::chrono::seconds;

TEST_CASE("A transient failure is retried once, after a wait with jitter") {
  MinterBench setup;
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
    MinterBench setup;
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
  MinterBench setup;
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
  MinterBench setup;
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
  MinterBench setup;
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

TEST_CASE("A refused secret is forgotten by the vault that keeps a copy, once and by its version") {
  MinterBench t("client-secret");
  t.http.Push(401, ErrorBody("invalid_client", 7000215));
  CHECK_FALSE(t.Mint().has_value());
  REQUIRE(t.vault.invalidated.size() == 1);
  CHECK(t.vault.invalidated[0].first == broker::SecretId{"aid-mail", SecretKind::kClientSecret});
  CHECK(t.vault.invalidated[0].second == "1");
  CHECK_FALSE(t.Mint().has_value());
  CHECK(t.vault.invalidated.size() == 1);

  MinterBench outage("client-secret");
  for (int i = 0; i < 2; ++i) outage.http.Push(503, "");
  CHECK_FALSE(outage.Mint().has_value());
  CHECK(outage.vault.invalidated.empty());
}

TEST_CASE("A rejected application secret waits a minute before it is tried again") {
  MinterBench setup("client-secret");
  setup.http.Push(401, ErrorBody("invalid_client", 7000215));
  CHECK(ReasonOf(setup.Mint()) == Reason::kCredentialRejected);
  CHECK(ReasonOf(setup.Mint()) == Reason::kCredentialRejected);
  CHECK(setup.http.seen.size() == 1);
  setup.clock.Advance(broker::UpstreamGuard::kRejectionPause);
  setup.http.Push(200, TokenBody(AppClaims()));
  CHECK(setup.Mint().has_value());
}

TEST_CASE("No request goes out before Retry-After has passed") {
  MinterBench setup;
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
  MinterBench setup;
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

TEST_CASE("An outage, a dead grant and a pause are of one credential, and none of another") {
  MinterBench setup;
  auto other = setup.credential;
  auto other_key = setup.key;
  other.name = other_key.credential = "aid-calendar";
  REQUIRE(
      setup.vault.store.Put({other.name, SecretKind::kRefreshToken}, Secret::CopyOf("its own"), 0)
          .has_value());
  const auto mint_other = [&] {
    setup.http.Push(200, TokenBody(UserClaims()));
    return setup.minter.Mint(setup.config, other, other_key, setup.who);
  };
  SUBCASE("a breaker that is open") {
    for (int i = 0; i < broker::UpstreamGuard::kFailuresToOpen; ++i) {
      CHECK(ReasonOf(setup.Mint()) == Reason::kUpstreamUnavailable);
    }
  }
  SUBCASE("a grant that is dead") {
    setup.http.Push(400, ErrorBody("invalid_grant", 50173, "bad_token"));
    CHECK(ReasonOf(setup.Mint()) == Reason::kLoginRequired);
  }
  SUBCASE("a Retry-After") {
    auto throttled = FakeHttp::Answer(429, "");
    throttled.retry_after = seconds(90);
    setup.http.Push(std::move(throttled));
    CHECK(ReasonOf(setup.Mint()) == Reason::kUpstreamThrottled);
  }
  const size_t asked = setup.http.seen.size();
  CHECK_FALSE(setup.Mint().has_value());
  CHECK(setup.http.seen.size() == asked);  // this one is not asked for
  CHECK(mint_other().has_value());
  CHECK(setup.http.seen.size() == asked + 1);
  setup.minter.Forget("aid-calendar");
  CHECK_FALSE(setup.Mint().has_value());
  CHECK(setup.http.seen.size() == asked + 1);
}

TEST_CASE("What Entra answered is in the log, once for each attempt") {
  MinterBench setup;
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
        "request_id=0198c0de-0000-7000-8000-000000000005\n");
}
