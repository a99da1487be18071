// What one agent's request leaves behind for the others that share its credential.
#include "broker/upstream_guard.h"

#include <doctest/doctest.h>

#include "test/broker/mint_bench.h"

using namespace entra_answers;
using broker::Reason, broker::UpstreamGuard;

namespace {

constexpr const char* kClaims = R"({"access_token":{"acrs":{"essential":true,"value":"c1"}}})";

/// An application's credential that two agents share; Entra answers as `answer` says.
struct Shared : MinterBench {
  Shared() : MinterBench("client-secret") {
    http.respond = [this](const broker::HttpRequest& request) {
      ++asked;
      const bool claims = request.body.Expose(broker::Exit::kTest).contains("claims=");
      return claims || answers_all ? FakeHttp::Answer(status, answer)
                                   : FakeHttp::Answer(200, TokenBody(AppClaims()));
    };
  }
  broker::MintResult Ask(const std::string& agent, const std::string& claims = {}) {
    who.agent = agent;
    key.claims = claims;
    return Mint();
  }
  void OpenBreaker() {
    status = 503;
    answers_all = true;
    for (int i = 0; i < UpstreamGuard::kFailuresToOpen; ++i) CHECK_FALSE(Ask("well").has_value());
    const int before = asked;
    CHECK_FALSE(Ask("well").has_value());
    REQUIRE(asked == before);
    clock.Advance(UpstreamGuard::kFirstPause);
  }

  int asked = 0;
  int status = 400;
  std::string answer;
  bool answers_all = false;  // else what is asked without claims is granted
};

}  // namespace

TEST_CASE("What Entra makes of one agent's claims is held against nobody else") {
  struct Row {
    int status;
    std::string body;
    int asks;  // until purser asks no more
  };
  for (const Row& row : {Row{400, ErrorBody("invalid_grant", 50173), 1},
                         Row{400, ErrorBody("unauthorized_client", 0), 1},
                         Row{401, ErrorBody("invalid_client", 7000215), 1},
                         Row{503, "", UpstreamGuard::kFailuresToOpen}}) {
    CAPTURE(row.body);
    Shared setup;
    setup.status = row.status;
    setup.answer = row.body;
    for (int i = 0; i < row.asks; ++i) CHECK_FALSE(setup.Ask("mean", kClaims).has_value());
    const int asked = setup.asked;
    CHECK_FALSE(setup.Ask("mean", kClaims).has_value());
    CHECK(setup.asked == asked);
    CHECK(setup.minter.Degraded().empty());
    CHECK_FALSE(setup.Ask("other", kClaims).has_value());
    CHECK(setup.asked > asked);  // whose challenge may be a real one
    CHECK(setup.Ask("other").has_value());
    CHECK(setup.Ask("mean").has_value());
  }
}

TEST_CASE("What holds for a credential holds for claims, too") {
  Shared setup;
  setup.answers_all = true;
  setup.status = 401;
  setup.answer = ErrorBody("invalid_client", 7000215);
  CHECK(ReasonOf(setup.Ask("well")) == Reason::kCredentialRejected);
  CHECK(ReasonOf(setup.Ask("mean", kClaims)) == Reason::kCredentialRejected);
  CHECK(setup.asked == 1);
}

TEST_CASE("A request that never reaches Entra does not use up the trial of an open breaker") {
  Shared setup;
  setup.OpenBreaker();
  setup.ledger.refuses = [](const broker::ledger::Entry& entry) { return entry.agent == "mean"; };
  const int asked = setup.asked;
  for (int i = 0; i < 3; ++i) CHECK(ReasonOf(setup.Ask("mean")) == Reason::kInternal);
  CHECK(setup.asked == asked);
  setup.answers_all = false;
  CHECK(setup.Ask("well").has_value());
}

TEST_CASE("An Entra that refuses is an Entra that answers: the outage is over") {
  Shared setup;
  setup.OpenBreaker();
  setup.status = 400;
  setup.answer = ErrorBody("interaction_required", 50076);
  CHECK(ReasonOf(setup.Ask("mean")) == Reason::kInteractionRequired);
  setup.answers_all = false;
  CHECK(setup.Ask("well").has_value());
}

TEST_CASE("A trial with claims of an agent's choosing is that agent's alone") {
  Shared setup;
  setup.OpenBreaker();
  setup.answers_all = false;  // the outage is over, but not for what is made up
  for (int i = 0; i < 3; ++i) CHECK_FALSE(setup.Ask("mean", kClaims).has_value());
  CHECK(setup.Ask("well").has_value());
}
