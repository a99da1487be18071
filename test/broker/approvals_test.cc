// Approvals: what a yes is to, and what it is good for.
#include <functional>

#include "test/broker/approvals_fixture.h"

using namespace approvals_test;
using namespace std::chrono_literals;
using broker::Approval, broker::ApprovalState, broker::Reason;
using broker::ledger::EntryType, broker::ledger::Outcome;

TEST_CASE("One yes is one token, and the ledger has who, how and when before it") {
  Bench b;
  const std::string id = b.Pending();
  CHECK(b.Types() == std::vector<std::string>{"approval.requested"});
  CHECK(b.ledger.entries[0].approval_id == id);
  CHECK(b.ledger.entries[0].claimed.purpose == "answer ticket 1042");
  REQUIRE(b.Say(true, id, Person(kLead)).has_value());
  const auto& granted = b.ledger.entries.back();
  CHECK(granted.type == EntryType::kApprovalGranted);
  CHECK(granted.outcome == Outcome::kSuccess);
  CHECK(granted.approval_by == "uid:2001");
  CHECK(granted.approval_digest == b.approvals->Find(id)->digest);
  CHECK(granted.caller->uid == kLead);
  CHECK(granted.agent == "helpdesk");
  CHECK(std::get<std::string>(granted.change.at("why")) == "because");
  CHECK(b.Uses());
  CHECK(b.approvals->Find(id)->state == ApprovalState::kUsed);
  CHECK(b.Refused(id) == Reason::kApprovalMismatch);
  CHECK(b.Pending() != id);  // asked anew, a person is
}

TEST_CASE("A yes can be taken back until it was used, by who said it, too") {
  Bench b;
  b.terms.uses = 2;
  b.terms.within = 1h;
  const std::string id = b.Pending();
  REQUIRE(b.Say(true, id, Person(kLead)));
  auto pass = b.Ask();
  REQUIRE(pass.has_value());
  REQUIRE(b.Say(false, id, Person(kLead)));
  CHECK(b.ledger.entries.back().type == EntryType::kApprovalDenied);
  CHECK(b.approvals->Use(*pass)->reason == Reason::kApprovalMismatch);  // Entra was being asked
  CHECK(b.Refused() == Reason::kApprovalDenied);

  Bench unstored;  // what cannot be kept holds all the same, as long as the broker lives
  const std::string other = unstored.Pending();
  REQUIRE(unstored.Say(true, other, Person(kLead)));
  unstored.store.fail_with = broker::ErrorCode::kUnavailable;
  CHECK(unstored.Say(false, other, Person(kLead)).error().reason == Reason::kStoreUnavailable);
  unstored.store.fail_with.reset();
  CHECK_FALSE(unstored.Uses());

  Bench half;
  half.terms.quorum = 2;
  const std::string first = half.Pending();
  REQUIRE(half.Say(true, first, Person(kLead)));
  REQUIRE(half.Say(false, first, Person(kLead)));
  CHECK(half.ledger.entries.back().approval_by == "uid:2001");
  CHECK(half.Say(true, first, Person(kOtherLead)).error().reason == Reason::kConflict);
}

TEST_CASE("A yes to anything but what was shown is none") {
  // clang-format off
  struct Row { const char* what; std::function<std::pair<std::string, std::string>(Bench&)> of; Reason why; };
  const Row rows[] = {
      {"another digest",     [](Bench& b) { return std::pair{b.Pending(), std::string(64, '0')}; },                 Reason::kConflict},
      {"no digest",          [](Bench& b) { return std::pair{b.Pending(), std::string()}; },                        Reason::kConflict},
      {"another's digest",   [](Bench& b) { const auto one = b.Pending(); b.entry.scopes = {"Mail.Read"};
                                            return std::pair{b.Pending(), b.approvals->Find(one)->digest}; },       Reason::kConflict},
      {"no such approval",   [](Bench& b) { return std::pair{std::string(32, 'f'), b.approvals->Find(b.Pending())->digest}; }, Reason::kNotFound},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(std::string(row.what));
    Bench b;
    const auto [id, digest] = row.of(b);
    const auto said = b.SayOf(true, id, digest, Person(kLead));
    REQUIRE_FALSE(said.has_value());
    CHECK(said.error().reason == row.why);
    CHECK_FALSE(b.Uses());
  }
}

TEST_CASE("What was decided or is over is not decided again") {
  struct Row {
    const char* what;
    std::function<void(Bench&, const std::string&)> before;
  };
  const Row rows[] = {
      {"used",
       [](Bench& b, const auto& id) {
         REQUIRE(b.Say(true, id, Person(kLead)));
         REQUIRE(b.Uses());
       }},
      {"denied", [](Bench& b, const auto& id) { REQUIRE(b.Say(false, id, Person(kLead))); }},
      {"expired", [](Bench& b, const auto&) { b.clock.Advance(10min); }},
      {"stopped", [](Bench& b, const auto&) { b.approvals->EndAll("helpdesk"); }},
      {"stopped with all", [](Bench& b, const auto&) { b.approvals->EndAll(""); }},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.what));
    for (const bool yes : {true, false}) {
      Bench b;
      const std::string id = b.Pending();
      row.before(b, id);
      const auto said = b.Say(yes, id, Person(kOtherLead));
      REQUIRE_FALSE(said.has_value());
      CHECK(said.error().reason == Reason::kConflict);
    }
  }
}

TEST_CASE("The same request is the same approval, and another one is not") {
  Bench b;
  const std::string id = b.Pending();
  b.entry.caller->pid = 4242;  // another process of the same program
  b.entry.request_id = "another";
  CHECK(b.Pending() == id);
  CHECK(b.approvals->List().size() == 1);
  // clang-format off
  struct Row { const char* what; std::function<void(Bench&)> change; };
  const Row rows[] = {
      {"another scope",      [](Bench& o) { o.entry.scopes = {"Mail.ReadWrite"}; }},
      {"another resource",   [](Bench& o) { o.entry.target_resource = "https://vault.azure.net"; }},
      {"another user",       [](Bench& o) { o.entry.user_oid = "sam"; }},
      {"another program",    [](Bench& o) { o.exe = "/tmp/x"; }},
      {"another process user", [](Bench& o) { o.entry.caller->uid = 1001; }},
      {"another purpose",    [](Bench& o) { o.entry.claimed.purpose = "something else"; }},
      {"another credential", [](Bench& o) { o.credential.client_id = "c"; }},
      {"another challenge",  [](Bench& o) { o.claims = "{}"; }},
      {"a token that can do more", [](Bench& o) { o.can_also = {"Mail.ReadWrite"}; }},
      {"another login",      [](Bench& o) { o.entry.caller->loginuid = 1001; }},
      {"other terms",        [](Bench& o) { o.terms.uses = 2; }},
      {"another agent",      [](Bench& o) { o.entry.agent = "billing"; }},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(std::string(row.what));
    Bench o;
    const std::string first = o.Pending();
    REQUIRE(o.Say(true, first, Person(kLead)));
    row.change(o);
    CHECK(o.Refused(first) == Reason::kApprovalMismatch);
    CHECK(o.Pending() != first);
  }
}

TEST_CASE("What was denied stays denied, whatever the agent says about it, and asks nobody") {
  Bench b;
  const std::string id = b.Pending();
  REQUIRE(b.Say(false, id, Person(kLead)));
  CHECK(b.ledger.entries.back().type == EntryType::kApprovalDenied);
  b.entry.claimed.purpose = "it is very urgent";
  b.exe = "/tmp/copy";
  b.claims = R"({"access_token":{"nbf":{"essential":true}}})";
  CHECK(b.Refused() == Reason::kApprovalDenied);
  CHECK(b.Refused(id) == Reason::kApprovalMismatch);
  b.Restart();
  CHECK(b.Refused() == Reason::kApprovalDenied);
  CHECK(b.approvals->List().size() == 1);
  b.clock.Advance(61min);
  CHECK(b.Refused() == Reason::kApprovalPending);
}

TEST_CASE("N uses within a time, and not one more or later") {
  Bench b;
  b.terms.uses = 2;
  b.terms.within = 1h;
  REQUIRE(b.Say(true, b.Pending(), Person(kLead)));
  CHECK(b.Uses());
  b.clock.Advance(59min);
  CHECK(b.Uses());
  CHECK_FALSE(b.Uses());
  Bench late;
  late.terms.uses = 2;
  late.terms.within = 1h;
  const std::string id = late.Pending();
  REQUIRE(late.Say(true, id, Person(kLead)));
  auto pass = late.Ask();
  REQUIRE(pass.has_value());
  late.clock.Advance(1h);
  CHECK(late.approvals->Use(*pass)->reason == Reason::kApprovalExpired);  // the mint took an hour
  CHECK(late.Refused(id) == Reason::kApprovalExpired);
}

TEST_CASE("Of one use two requests at a time get one; what is not used is given back") {
  Bench b;
  const std::string id = b.Pending();
  REQUIRE(b.Say(true, id, Person(kLead)));
  {
    const auto first = b.Ask();
    REQUIRE(first.has_value());
    CHECK(b.Refused() == Reason::kApprovalMismatch);  // Entra is being asked for the first
  }
  CHECK(b.Uses());
}

TEST_CASE("Without a row or an entry there is no approval, no yes and no use") {
  struct Row {
    const char* what;
    std::function<void(Bench&)> breaks;
    Reason why;
  };
  const Row rows[] = {
      {"the ledger cannot write",
       [](Bench& b) { b.ledger.fail_with = broker::ErrorCode::kUnavailable; },
       Reason::kLedgerUnavailable},
      {"the store cannot write",
       [](Bench& b) { b.store.fail_with = broker::ErrorCode::kUnavailable; },
       Reason::kStoreUnavailable},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.what));
    Bench asked;
    row.breaks(asked);
    CHECK(asked.Refused() == row.why);
    CHECK(asked.approvals->List().empty());
    const size_t written = asked.ledger.entries.size();
    CHECK(asked.Refused() == row.why);  // and the ledger is not filled with it
    CHECK(asked.ledger.entries.size() == written);

    Bench said;
    const std::string id = said.Pending();
    row.breaks(said);
    CHECK(said.Say(true, id, Person(kLead)).error().reason == row.why);
    CHECK(said.approvals->Find(id)->state == ApprovalState::kPending);
  }
  Bench used;
  REQUIRE(used.Say(true, used.Pending(), Person(kLead)));
  auto pass = used.Ask();
  REQUIRE(pass.has_value());
  used.store.fail_with = broker::ErrorCode::kUnavailable;
  CHECK(used.approvals->Use(*pass)->reason == Reason::kStoreUnavailable);
}
