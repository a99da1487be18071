// Approvals: who may decide, and who is the same person twice.
#include "test/broker/approvals_fixture.h"

using namespace approvals_test;
using broker::Approval, broker::ApprovalState, broker::Reason;
using broker::ledger::Outcome;

TEST_CASE("Whoever may not decide, does not") {
  // clang-format off
  struct Row { const char* who; broker::policy::Facts person; Reason why; };
  const Row rows[] = {
      {"the asker's own user",                 Person(kAgentUser, {kLeads}),              Reason::kOwnRequest},
      {"the asker's user behind sudo",         Person(0, {kLeads}, kAgentUser),           Reason::kOwnRequest},
      {"who is in the agent's group",          Person(kLead, {kLeads, 77}),               Reason::kOwnRequest},
      {"who is in no group of the rule",       Person(kLead, {31}),                       Reason::kRoleMissing},
      {"root, in no group of the rule",        Person(0),                                 Reason::kRoleMissing},
      {"who is in one of two groups",          Person(kLead, {kLeads}),                   Reason::kRoleMissing},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(std::string(row.who));
    Bench b;
    b.terms.by = {{{"group:leads"}, {kLeads}}};
    if (row.person.uid == kLead && row.why == Reason::kRoleMissing) {
      b.terms.by.push_back({{"group:owners"}, {99}});
    }
    const std::string id = b.Pending();
    for (const bool yes : {true, false}) {
      const auto said =
          b.SayOf(yes, id, b.approvals->Find(id)->digest, row.person, /*asker_gids=*/{77});
      REQUIRE_FALSE(said.has_value());
      CHECK(said.error().reason == row.why);
    }
    CHECK(b.Types() == std::vector<std::string>{"approval.requested"});
    CHECK(b.Refused() == Reason::kApprovalPending);
  }
}

TEST_CASE("Who started the agent does not approve what it asks, as whatever user") {
  for (const bool restarted : {false, true}) {
    CAPTURE(restarted);
    Bench b;
    b.entry.caller->loginuid = kLead;  // sudo -u helpdesk agent
    const std::string id = b.Pending();
    if (restarted) b.Restart();
    for (const auto& person : {Person(kLead), Person(0, {}, kLead), Person(kLead, {}, 4711)}) {
      CHECK(b.Say(true, id, person).error().reason == Reason::kOwnRequest);
    }
    CHECK(b.Say(true, id, Person(kOtherLead)).has_value());
  }
}

TEST_CASE("Who is signed in decides by that, and not on what is asked in their own name") {
  const broker::policy::Person ada{"ada", {"leads"}}, bob{"bob", {}}, eve{"eve", {"x"}};
  Bench b;
  b.terms.by = {{{"entra-group:leads", "entra-user:bob"}, {}, {{"leads"}, {"bob"}}}};
  b.terms.quorum = 2;
  b.entry.user_oid = "EVE";
  const std::string id = b.Pending();
  CHECK(b.Say(true, id, Person(kLead)).error().reason == Reason::kRoleMissing);
  CHECK(b.Say(true, id, Person(kLead, {kLeads})).error().reason == Reason::kRoleMissing);
  CHECK(b.Say(true, id, Person(kLead), &eve).error().reason == Reason::kOwnRequest);
  CHECK(b.Say(true, id, Person(kAgentUser), &ada).error().reason == Reason::kOwnRequest);
  REQUIRE(b.Say(true, id, Person(kLead), &ada).has_value());
  b.Restart();
  CHECK(b.Say(true, id, Person(kOtherLead), &ada).error().reason == Reason::kConflict);
  CHECK(b.Say(true, id, Person(kLead), &bob).error().reason == Reason::kConflict);
  CHECK(b.Say(true, id, Person(kOtherLead), &eve).error().reason == Reason::kOwnRequest);
  const auto granted = b.Say(true, id, Person(kOtherLead), &bob);
  REQUIRE(granted.has_value());
  CHECK(granted->state == ApprovalState::kGranted);
  CHECK(b.ledger.entries.back().approval_by == "uid:2001,oid:ada uid:2002,oid:bob");
}

TEST_CASE("Two people behind sudo are two, and one of them behind two users is one") {
  using broker::ApprovalVote;
  const uint32_t jo = 2001, sam = 2002, desk = 3000;
  // clang-format off
  struct Row { const char* what; ApprovalVote one, other; bool may; };
  const Row rows[] = {
      {"two users",                              {jo},         {sam},        false},
      {"two logins, both root",                  {0, jo},      {0, sam},     false},
      {"one user",                               {jo},         {jo},         true},
      {"one user with two logins",               {jo, 1},      {jo, 2},      true},
      {"one login",                              {jo, jo},     {0, jo},      true},
      {"a login that was chosen, and sudo",      {jo, 1},      {0, jo},      true},
      {"a shared user: who knows",               {desk, jo},   {desk, sam},  true},
      {"root twice",                             {0},          {0},          true},
      {"one who is signed in, as two users",     {jo, {}, "a"}, {sam, {}, "a"}, true},
      {"two who are signed in, as one user",     {jo, {}, "a"}, {jo, {}, "b"}, true},
      {"two who are signed in, as two users",    {jo, {}, "a"}, {sam, {}, "b"}, false},
      {"one who answers elsewhere, too",         {jo, {}, "a"}, {{}, {}, "a"}, true},
      {"who answers twice elsewhere",            {{}, {}, "a"}, {{}, {}, "a"}, true},
      {"two who answer elsewhere",               {{}, {}, "a"}, {{}, {}, "b"}, false},
      {"one elsewhere, another one signed in",   {{}, {}, "a"}, {jo, {}, "b"}, false},
      {"one elsewhere and a user: who knows",    {{}, {}, "a"}, {jo},          true},
      {"one elsewhere and root: who knows",      {{}, {}, "a"}, {0},           true},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(std::string(row.what));
    CHECK(row.one.MayBe(row.other) == row.may);
    CHECK(row.other.MayBe(row.one) == row.may);
  }
}

TEST_CASE("A quorum is of different people, whatever users they are") {
  Bench b;
  b.terms.quorum = 2;
  const std::string id = b.Pending();
  REQUIRE(b.Say(true, id, Person(kLead)).has_value());
  CHECK(b.ledger.entries.back().outcome == Outcome::kPending);
  CHECK(b.Refused() == Reason::kApprovalPending);
  // clang-format off
  struct Row { const char* who; broker::policy::Facts person; };
  const Row rows[] = {
      {"the same user",              Person(kLead)},
      {"the same, whose process chose its login", Person(kLead, {}, 4711)},
      {"the same person as root",    Person(0, {}, kLead)},
      {"the same person elsewhere",  Person(2999, {}, kLead)},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(std::string(row.who));
    const auto again = b.Say(true, id, row.person);
    REQUIRE_FALSE(again.has_value());
    CHECK(again.error().reason == Reason::kConflict);
    CHECK_FALSE(b.Uses());
  }
  REQUIRE(b.Say(true, id, Person(0, {}, kOtherLead)).has_value());
  CHECK(b.ledger.entries.back().approval_by == "uid:2001 uid:0,loginuid:2002");
  CHECK(b.Uses());
}
