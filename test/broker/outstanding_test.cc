#include "broker/outstanding.h"

#include <doctest/doctest.h>

#include "test/broker/broker_fixture.h"
#include "test/fakes/fake_clock.h"

using namespace broker_test;
using namespace std::chrono_literals;
using broker::Outstanding;

namespace {

struct Released {
  FakeClock clock;
  Outstanding outstanding{clock};

  void Note(const std::string& agent, const std::string& fingerprint, std::chrono::seconds life,
            uint64_t seq = 1) {
    broker::AccessToken token;
    token.fingerprint = fingerprint;
    token.scopes = {"Mail.Read", "User.Read"};
    token.user_oid = kUser;
    token.exp_unix =
        std::chrono::duration_cast<std::chrono::seconds>(clock.WallNow().time_since_epoch())
            .count() +
        life.count();
    outstanding.Note(agent, {"aid-mail", "https://graph.microsoft.com", {"Mail.Read"}, {}, kUser},
                     token, seq);
  }
  [[nodiscard]] size_t Count(const std::string& agent) const {
    return outstanding.Of(agent).tokens.size();
  }
};

}  // namespace

TEST_CASE("A token that was released is known with all that it can do until it expires") {
  Released r;
  r.Note("helpdesk", "f1", 600s, 41);
  const auto list = r.outstanding.Of("helpdesk");
  REQUIRE(list.tokens.size() == 1);
  CHECK(list.tokens[0].agent == "helpdesk");
  CHECK(list.tokens[0].credential == "aid-mail");
  CHECK(list.tokens[0].scopes == std::vector<std::string>{"Mail.Read", "User.Read"});
  CHECK(list.tokens[0].user_oid == kUser);
  CHECK(list.tokens[0].seq == 41);
  CHECK(list.since == r.clock.WallNow());
  r.clock.Advance(599s);
  CHECK(r.Count("helpdesk") == 1);
  r.clock.Advance(1s);
  CHECK(r.Count("helpdesk") == 0);
}

TEST_CASE("Each agent has its own, one token counts once for each, the longest-lived come first") {
  Released r;
  r.Note("helpdesk", "f1", 60s, 1);
  r.Note("helpdesk", "f1", 60s, 2);
  r.Note("helpdesk", "f2", 90s, 3);
  r.Note("billing", "f1", 60s, 4);
  CHECK(r.Count("helpdesk") == 2);
  CHECK(r.Count("billing") == 1);
  CHECK(r.Count("nobody") == 0);
  CHECK(r.Count("") == 3);
  CHECK(r.outstanding.Of("helpdesk").tokens[0].seq == 3);
  CHECK(r.outstanding.Of("helpdesk").tokens[1].seq == 1);
}

TEST_CASE("Without room the expired go first; what is not kept then is counted") {
  Released r;
  r.Note("helpdesk", "short", 1s);
  for (size_t i = 1; i < Outstanding::kMaxTokens; ++i) {
    r.Note("helpdesk", "f" + std::to_string(i), 600s);
  }
  r.Note("billing", "late", 600s);
  CHECK(r.Count("billing") == 0);
  CHECK(r.outstanding.Of("").forgotten == 1);
  r.clock.Advance(1s);
  r.Note("billing", "late", 600s);
  CHECK(r.Count("billing") == 1);
}

TEST_CASE("What a predecessor released is learned from the ledger, and counts once") {
  Released r;
  const int64_t now =
      std::chrono::duration_cast<std::chrono::seconds>(r.clock.WallNow().time_since_epoch())
          .count();
  const auto learn = [&](const std::string& agent, const std::string& fingerprint, uint64_t seq) {
    r.outstanding.Learn(
        fingerprint,
        {agent, "aid-mail", "https://graph.microsoft.com", {"Mail.Read"}, {}, now + 600, seq});
  };
  SUBCASE("with what the ledger knows") {
    learn("helpdesk", "f1", 7);
    const auto list = r.outstanding.Of("helpdesk");
    REQUIRE(list.tokens.size() == 1);
    CHECK(list.tokens[0].earlier);
    CHECK(list.tokens[0].seq == 7);
    CHECK(r.Count("billing") == 0);
  }
  SUBCASE("one that this process released stays as it is") {
    r.Note("helpdesk", "f1", 600s, 9);
    learn("helpdesk", "f1", 9);
    REQUIRE(r.Count("helpdesk") == 1);
    CHECK_FALSE(r.outstanding.Of("helpdesk").tokens[0].earlier);
  }
  SUBCASE("one that is released again is known with all its scopes, from its first entry on") {
    learn("helpdesk", "f1", 7);
    r.Note("helpdesk", "f1", 600s, 9);
    const auto list = r.outstanding.Of("helpdesk");
    REQUIRE(list.tokens.size() == 1);
    CHECK_FALSE(list.tokens[0].earlier);
    CHECK(list.tokens[0].seq == 7);
    CHECK(list.tokens[0].scopes.size() == 2);
  }
  SUBCASE("until the ledger was read, others may be missing") {
    CHECK_FALSE(r.outstanding.Of("").earlier_unknown.empty());
    CHECK(r.outstanding.Of("").since == r.clock.WallNow());
    r.outstanding.SetEarlierUnknown("");
    CHECK(r.outstanding.Of("").earlier_unknown.empty());
    CHECK(r.outstanding.Of("").since == r.clock.WallNow() - 28h);
  }
}
