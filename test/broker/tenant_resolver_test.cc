#include "broker/tenant_resolver.h"

#include <doctest/doctest.h>

#include "broker/upstream_guard.h"
#include "test/broker/mint_bench.h"

using namespace entra_answers;
using broker::ErrorCode;
using broker::Reason;
using std::chrono::seconds;

TEST_CASE("A tenant configured as a domain is resolved once, and is what the token must say") {
  MinterBench setup;
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

  MinterBench unresolved;
  unresolved.config.tenant.id = "contoso.com";
  unresolved.http.Push(200, R"({"issuer":"https://login.microsoftonline.com/common/v2.0"})");
  CHECK(ReasonOf(unresolved.Mint()) == Reason::kUpstreamInvalid);
  CHECK(unresolved.ledger.entries.empty());  // no secret was touched
}

TEST_CASE("An outage of the tenant's discovery opens the breaker") {
  MinterBench setup;
  setup.config.tenant.id = "contoso.com";
  for (int i = 0; i < broker::UpstreamGuard::kFailuresToOpen; ++i) {
    setup.http.PushFailure(ErrorCode::kUnavailable, "no route");
    CHECK(ReasonOf(setup.Mint()) == Reason::kUpstreamUnavailable);
  }
  const size_t asked = setup.http.seen.size();
  for (int i = 0; i < 3; ++i) {
    const auto refused = setup.Mint();
    CHECK(ReasonOf(refused) == Reason::kUpstreamUnavailable);
    CHECK(refused.error().retry_after == broker::UpstreamGuard::kFirstPause);
  }
  CHECK(setup.http.seen.size() == asked);
  setup.clock.Advance(broker::UpstreamGuard::kFirstPause);
  setup.http.PushFailure(ErrorCode::kUnavailable, "no route");  // the one trial
  CHECK(ReasonOf(setup.Mint()) == Reason::kUpstreamUnavailable);
  CHECK(ReasonOf(setup.Mint()) == Reason::kUpstreamUnavailable);
  CHECK(setup.http.seen.size() == asked + 1);
}

TEST_CASE(
    "A tenant's discovery is not asked again before its Retry-After, nor at once when refused") {
  MinterBench setup;
  setup.config.tenant.id = "contoso.com";
  seconds pause{};
  SUBCASE("throttled") {
    broker::HttpResponse throttled = FakeHttp::Answer(429, "{}");
    throttled.retry_after = seconds(17);
    setup.http.Push(std::move(throttled));
    CHECK(ReasonOf(setup.Mint()) == Reason::kUpstreamThrottled);
    pause = seconds(17);
  }
  SUBCASE("no such tenant") {
    setup.http.Push(400, R"({"error":"invalid_tenant","error_codes":[90002]})");
    CHECK_FALSE(setup.Mint());
    pause = broker::UpstreamGuard::kRejectionPause;
  }
  SUBCASE("nonsense") {
    setup.http.Push(200, "<html>");
    CHECK(ReasonOf(setup.Mint()) == Reason::kUpstreamInvalid);
    pause = broker::UpstreamGuard::kRejectionPause;
  }
  CHECK_FALSE(setup.Mint());
  setup.clock.Advance(pause - seconds(1));
  CHECK_FALSE(setup.Mint());
  CHECK(setup.http.seen.size() == 1);
  setup.clock.Advance(seconds(1));
  setup.http.Push(200, R"({"issuer":"https://login.microsoftonline.com/)" + std::string(kTenant) +
                           R"(/v2.0"})");
  setup.http.Push(200, TokenBody(UserClaims()));
  CHECK(setup.Mint().has_value());
  CHECK(setup.http.seen.size() == 3);
}
