// Approvals: by = ["requester"], the person whom the request's user_assertion proves.
#include "broker/approval_rules.h"
#include "test/broker/approvals_fixture.h"

using namespace approvals_test;
using broker::Approval, broker::ApprovalState, broker::Reason;

namespace {

constexpr const char* kJo = "11111111-1111-4111-8111-11111111abcd";
constexpr const char* kSam = "22222222-2222-4222-8222-222222222222";
constexpr uint32_t kJosLogin = 3001, kSamsLogin = 3002;

/// An agent asks for Jo; Jo decides, or one of `gids`.
struct ForJo : Bench {
  explicit ForJo(std::vector<uint32_t> gids = {}, bool requester = true) {
    entry.user_oid = kJo;
    broker::policy::ApprovalGroups by{{"requester"}, std::move(gids)};
    by.requester = requester;
    terms.by = {by};
  }
  std::expected<Approval, broker::Refusal> SayAs(bool yes, const std::string& oid,
                                                 const broker::policy::Facts& person) {
    const std::string id = Pending();
    const broker::policy::Person who{oid, {}};
    const broker::Approvals::Decision decision{.id = id,
                                               .digest = approvals->Find(id)->digest,
                                               .person = &person,
                                               .signed_in = oid.empty() ? nullptr : &who,
                                               .asker_gids = {77},
                                               .why = {},
                                               .who = {}};
    return yes ? approvals->Approve(decision) : approvals->Deny(decision);
  }
};

}  // namespace

TEST_CASE("The requester decides, whom Entra proved at the request and at the decision") {
  for (const bool yes : {true, false}) {
    ForJo b;
    const auto said = b.SayAs(yes, kJo, Person(kJosLogin));
    REQUIRE(said.has_value());
    CHECK(said->state == (yes ? ApprovalState::kGranted : ApprovalState::kDenied));
    CHECK(b.ledger.entries.back().approval_by ==
          "uid:3001,oid:11111111-1111-4111-8111-11111111abcd");
    CHECK(b.ledger.entries.back().user_oid == kJo);
  }
}

TEST_CASE("Nobody else is the requester") {
  // clang-format off
  struct Row { const char* who; std::string oid; broker::policy::Facts person; bool restart; Reason why; };
  const Row rows[] = {
      {"somebody else",                          kSam, Person(kSamsLogin),              false, Reason::kRoleMissing},
      {"who has not signed in",                  "",   Person(kJosLogin),               false, Reason::kRoleMissing},
      {"an approver of another group",           "",   Person(kLead, {kLeads}),         false, Reason::kRoleMissing},
      {"root, not signed in",                    "",   Person(0),                       false, Reason::kRoleMissing},
      {"the requester as the agent's user",      kJo,  Person(kAgentUser),              false, Reason::kOwnRequest},
      {"the requester, agent's user behind sudo", kJo, Person(0, {}, kAgentUser),       false, Reason::kOwnRequest},
      {"the requester in the agent's group",     kJo,  Person(kJosLogin, {77}),         false, Reason::kOwnRequest},
      {"somebody else after a restart",          kSam, Person(kSamsLogin),              true,  Reason::kRoleMissing},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(std::string(row.who));
    for (const bool yes : {true, false}) {
      ForJo b;
      if (row.restart) {
        b.Pending();
        b.Restart();
      }
      const auto said = b.SayAs(yes, row.oid, row.person);
      REQUIRE_FALSE(said.has_value());
      CHECK(said.error().reason == row.why);
      CHECK(b.Types() == std::vector<std::string>{"approval.requested"});
    }
  }
}

TEST_CASE("A restart forgets neither that the requester decides nor who it is") {
  ForJo b;
  const std::string id = b.Pending();
  b.Restart();
  CHECK(b.Pending() == id);
  REQUIRE(b.SayAs(true, kJo, Person(kJosLogin)).has_value());
  b.Restart();
  REQUIRE(b.approvals->Find(id)->votes.size() == 1);
  CHECK(b.approvals->Find(id)->votes[0].oid == kJo);
  CHECK(b.Uses());
}

TEST_CASE("Where the rule names others, the person it is for does not decide; beside them, does") {
  ForJo others({kLeads}, /*requester=*/false);
  CHECK(others.SayAs(true, kJo, Person(kLead, {kLeads})).error().reason == Reason::kOwnRequest);
  REQUIRE(others.SayAs(true, kSam, Person(kLead, {kLeads})).has_value());
  ForJo both({kLeads});
  REQUIRE(both.SayAs(true, kJo, Person(kJosLogin)).has_value());
  ForJo other({kLeads});
  REQUIRE(other.SayAs(true, kSam, Person(kLead, {kLeads})).has_value());
}

TEST_CASE("One person behind two users of the machine is one of a quorum") {
  ForJo b({kLeads});
  b.terms.quorum = 2;
  REQUIRE(b.SayAs(true, kJo, Person(kJosLogin)).has_value());
  CHECK(b.SayAs(true, kJo, Person(kLead, {kLeads})).error().reason == Reason::kConflict);
  REQUIRE(b.SayAs(true, kSam, Person(kOtherLead, {kLeads})).has_value());
}
