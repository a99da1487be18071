// Approvals: restarts, stops, the tiredness of those who are asked, and who is held.
#include <algorithm>
#include <memory>

#include "test/broker/approvals_fixture.h"

using namespace approvals_test;
using namespace std::chrono_literals;
using broker::ApprovalState, broker::Reason;
using broker::ledger::EntryType;

TEST_CASE("What is pending or granted survives a restart, and is used no oftener for it") {
  Bench b;
  b.terms.uses = 2;
  b.terms.by = {{{"group:leads"}, {kLeads}}};
  const std::string id = b.Pending();
  const std::string digest = b.approvals->Find(id)->digest;
  b.Restart();
  CHECK(b.Pending() == id);
  CHECK(b.approvals->Find(id)->digest == digest);
  CHECK(b.Say(true, id, Person(kLead)).error().reason == Reason::kRoleMissing);
  CHECK(b.Say(true, id, Person(kAgentUser, {kLeads})).error().reason == Reason::kOwnRequest);
  REQUIRE(b.Say(true, id, Person(kLead, {kLeads})));
  b.Restart();
  CHECK(b.Uses());
  b.Restart();
  CHECK(b.Uses());
  b.Restart();
  CHECK_FALSE(b.Uses());
}

TEST_CASE("A yes of two survives a restart, and the same person's second one is none") {
  Bench b;
  b.terms.quorum = 2;
  const std::string id = b.Pending();
  REQUIRE(b.Say(true, id, Person(kLead)));
  b.Restart();
  CHECK(b.Say(true, id, Person(kLead)).error().reason == Reason::kConflict);
  CHECK(b.Say(true, id, Person(kOtherLead))->state == ApprovalState::kGranted);
}

TEST_CASE("A crash between the counted use and the release loses the use, and gives no second") {
  Bench b;
  REQUIRE(b.Say(true, b.Pending(), Person(kLead)));
  auto pass = std::make_unique<broker::ApprovalPass>(*b.Ask());
  REQUIRE_FALSE(b.approvals->Use(*pass));
  pass.reset();
  b.Restart();  // the token was never released
  CHECK_FALSE(b.Uses());
}

TEST_CASE("A date that was set back over a restart prolongs nothing beyond its own terms") {
  Bench b;
  const std::string id = b.Pending();
  b.clock.Advance(9min);
  b.clock.AdvanceWall(-24h);
  CHECK(b.approvals->LeftOf(*b.approvals->Find(id)) == 1min);
  b.Restart();
  CHECK(b.approvals->LeftOf(*b.approvals->Find(id)) == 10min);
  b.clock.AdvanceWall(48h);
  b.Restart();
  CHECK(b.approvals->Find(id)->state == ApprovalState::kExpired);
}

TEST_CASE("What passed while the machine slept, when the steady clock stands, has passed") {
  for (const bool granted : {false, true}) {
    CAPTURE(granted);
    Bench b;
    const std::string id = b.Pending();
    if (granted) REQUIRE(b.Say(true, id, Person(kLead)));
    b.clock.AdvanceWall(11min);
    CHECK(b.approvals->Find(id)->state == ApprovalState::kExpired);
    CHECK(b.Refused(id) == Reason::kApprovalExpired);
    CHECK_FALSE(b.Uses());
  }
}

TEST_CASE("A stop ends what is open, also over a restart before anything was written") {
  for (const bool granted : {false, true}) {
    for (const bool told : {false, true}) {
      CAPTURE(granted);
      CAPTURE(told);
      Bench b;
      const std::string id = b.Pending();
      if (granted) REQUIRE(b.Say(true, id, Person(kLead)));
      b.stopped = true;
      b.approvals->EndAll("helpdesk");
      CHECK(b.approvals->Find(id)->state == ApprovalState::kKilled);
      if (told) b.approvals->Tick();
      b.Restart();
      b.stopped = false;  // released since
      CHECK(b.approvals->Find(id)->state == ApprovalState::kKilled);
      CHECK(b.Refused(id) == Reason::kApprovalExpired);
      CHECK_FALSE(b.Uses());
      b.approvals->Tick();
      const auto types = b.Types();
      CHECK(std::ranges::count(types, "approval.expired") == 1);
    }
  }
}

TEST_CASE("A stop while a use is being counted gives nothing") {
  Bench b;
  REQUIRE(b.Say(true, b.Pending(), Person(kLead)));
  auto pass = b.Ask();
  REQUIRE(pass.has_value());
  b.approvals->EndAll("");
  CHECK(b.approvals->Use(*pass)->reason == Reason::kKilled);
}

TEST_CASE("A revocation ends what is open for its credential, and lets go of who is held") {
  for (const bool granted : {false, true}) {
    CAPTURE(granted);
    Bench b;
    const std::string id = b.Pending();
    int resumed = 0;
    b.approvals->Hold(id, b.clock.Now() + 30s, [&] { ++resumed; });
    if (granted) REQUIRE(b.Say(true, id, Person(kLead)));
    b.approvals->EndOf({"calendar"});
    b.approvals->Tick();
    CHECK(b.approvals->Find(id)->open());
    b.approvals->EndOf({"mail"});
    b.approvals->Tick();
    CHECK(resumed == 1);
    CHECK(b.Refused(id) == Reason::kApprovalExpired);
    b.Restart();
    CHECK(b.Refused(id) == Reason::kApprovalExpired);
    CHECK(b.Types().back() == "approval.expired");
  }
}

TEST_CASE("What was read in part is read again before anything stands on it") {
  Bench b;
  const std::string first = b.Pending();
  b.entry.scopes = {"Mail.ReadWrite"};
  const std::string second = b.Pending();
  b.approvals = b.Made();
  b.store.fails_of = {"approval-1", broker::SecretKind::kInternal};
  CHECK_FALSE(b.approvals->Load().has_value());
  b.store.fails_of.reset();
  REQUIRE(b.approvals->Load().has_value());
  CHECK(b.approvals->Find(first).has_value());
  CHECK(b.approvals->Find(second).has_value());
}

TEST_CASE("What ran out is recorded once, with the reason") {
  Bench b;
  b.Pending();
  b.clock.Advance(10min);
  b.approvals->Tick();
  b.approvals->Tick();
  CHECK(b.Types() == std::vector<std::string>{"approval.requested", "approval.expired"});
  CHECK(b.ledger.entries.back().reason == "approval_expired");
  CHECK_FALSE(b.ledger.entries.back().caller.has_value());
}

TEST_CASE("One that asks too much waits, longer each time, and others do not") {
  Bench b;
  size_t opened = 0;
  for (; opened < 30; ++opened) {
    b.entry.scopes = {"Scope." + std::to_string(opened)};
    if (b.Refused() == Reason::kApprovalLimit) break;
  }
  CHECK(opened == broker::Approvals::kMaxOpenPerAgent);
  b.entry.agent = "billing";
  CHECK(b.Refused() == Reason::kApprovalPending);

  Bench tired;
  std::chrono::seconds waited{0};
  for (int i = 0; i < 4; ++i) {
    const std::string id = tired.Pending();
    REQUIRE(tired.Say(false, id, Person(kLead)));
    tired.entry.scopes = {"Scope." + std::to_string(i)};
    const auto again = tired.Ask();
    REQUIRE(again.error().reason == Reason::kApprovalLimit);
    CHECK(*again.error().retry_after > waited);
    waited = *again.error().retry_after;
    tired.clock.Advance(waited);
  }
  CHECK(waited == 240s);

  Bench many;  // all granted and used, and still no more than so many in an hour
  size_t cards = 0;
  for (; cards < 30; ++cards) {
    many.entry.claimed.task = std::to_string(cards);
    const auto got = many.Ask();
    if (got.error().reason == Reason::kApprovalLimit) break;
    REQUIRE(many.Say(true, got.error().approval->id, Person(kLead)));
    REQUIRE(many.Uses());
  }
  CHECK(cards == broker::Approvals::kMaxPerHour);
  many.Restart();
  CHECK(many.Refused() == Reason::kApprovalLimit);
  many.clock.Advance(61min);
  CHECK(many.Refused() == Reason::kApprovalPending);
}

TEST_CASE("Whoever is asked often is told to ask more slowly") {
  Bench b;
  b.terms.expires = 1h;
  const std::string id = b.Pending();
  std::chrono::seconds before{0};
  for (const auto age : {0s, 120s, 360s, 3000s}) {
    b.clock.Advance(age);
    const auto interval = b.Ask().error().approval->interval;
    CHECK(interval > before);
    before = interval;
  }
  CHECK(before == broker::Approvals::kLongestInterval);
}

TEST_CASE("Who is held goes on when it is decided, over, late, or all are let go") {
  struct Row {
    const char* what;
    std::function<void(Bench&, const std::string&)> happens;
    int resumed;
  };
  const Row rows[] = {
      {"nothing", [](Bench& b, const auto&) { b.approvals->Tick(); }, 0},
      {"a yes", [](Bench& b, const auto& id) { REQUIRE(b.Say(true, id, Person(kLead))); }, 1},
      {"a no", [](Bench& b, const auto& id) { REQUIRE(b.Say(false, id, Person(kLead))); }, 1},
      {"its time is over",
       [](Bench& b, const auto&) {
         b.clock.Advance(30s);
         b.approvals->Tick();
       },
       1},
      {"the approval's is",
       [](Bench& b, const auto&) {
         b.clock.Advance(10min);
         b.approvals->Tick();
       },
       1},
      {"purser stops", [](Bench& b, const auto&) { b.approvals->Close(); }, 1},
      {"a stop: it was answered already", [](Bench& b, const auto&) { b.approvals->EndAll(""); },
       0},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.what));
    Bench b;
    const std::string id = b.Pending();
    int resumed = 0;
    b.approvals->Hold(id, b.clock.Now() + 30s, [&] { ++resumed; });
    CHECK(resumed == 0);
    row.happens(b, id);
    CHECK(resumed == row.resumed);
    b.approvals->Close();
    b.approvals->Tick();
    CHECK(resumed == (std::string(row.what) == "nothing" ? 1 : row.resumed));
    b.approvals->Hold(id, b.clock.Now() + 30s, [&] { resumed = 7; });  // at once, from now on
    CHECK(resumed == 7);
  }
}

TEST_CASE("A row of a later version is not understood, and nothing stands on it") {
  Bench b;
  const std::string id = b.Pending();
  REQUIRE(b.store
              .Put({"approval-0", broker::SecretKind::kInternal},
                   broker::Secret::CopyOf(R"({"v":3})"), std::nullopt)
              .has_value());
  b.Restart();
  CHECK_FALSE(b.approvals->Find(id).has_value());
  CHECK(b.Refused(id) == Reason::kApprovalMismatch);
}
