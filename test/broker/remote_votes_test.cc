// What people say who are not at the operator's socket: the tenant alone has proven who they are.
#include "broker/approval_rules.h"
#include "test/broker/approvals_fixture.h"

using broker::Approval, broker::ApprovalState, broker::Reason;
using namespace approvals_test;

namespace {

constexpr const char* kAda = "aaaaaaaa-0000-4000-8000-000000000001";
constexpr const char* kBob = "bbbbbbbb-0000-4000-8000-000000000002";
constexpr const char* kLeadsGroup = "cccccccc-0000-4000-8000-000000000003";

broker::policy::ApprovalGroups Users(std::vector<std::string> users) {
  broker::policy::ApprovalGroups by{{"entra-user:…"}, {}};
  by.entra.users = std::move(users);
  return by;
}

struct Remote : Bench {
  std::expected<Approval, broker::Refusal> SayAs(bool yes, const std::string& oid,
                                                 const std::string& digest = {}) {
    const std::string id = Pending();
    const broker::policy::Person who{oid, {}};
    const broker::Approvals::Decision decision{
        .id = id,
        .digest = digest.empty() ? approvals->Find(id)->digest : digest,
        .signed_in = &who,
        .asker_gids = {kAgentUser},
        .why = {},
        .who = {},
        .how = "teams-chat",
        .message = "1795000000001"};
    return yes ? approvals->Approve(decision) : approvals->Deny(decision);
  }
  Reason RefusedAs(const std::string& oid) {
    const auto said = SayAs(true, oid);
    REQUIRE_FALSE(said.has_value());
    return said.error().reason;
  }
};

}  // namespace

TEST_CASE(
    "A person who is not at this machine decides, and the entry says who, how and with what") {
  for (const bool yes : {true, false}) {
    Remote b;
    b.terms.by = {Users({kAda})};
    const auto said = b.SayAs(yes, kAda);
    REQUIRE(said.has_value());
    CHECK(said->state == (yes ? ApprovalState::kGranted : ApprovalState::kDenied));
    const auto& entry = b.ledger.entries.back();
    CHECK(entry.approval_by == std::string("oid:") + kAda);
    CHECK(entry.user_oid == kAda);
    CHECK_FALSE(entry.caller.has_value());
    CHECK(std::get<std::string>(entry.change.at("how")) == "teams-chat");
    CHECK(std::get<std::string>(entry.change.at("message")) == "1795000000001");
  }
}

TEST_CASE("Who is not at this machine is in no group of it, and decides nothing of their own") {
  SUBCASE("a rule by a Unix group") {
    Remote b;
    b.terms.by = {{{"group:leads"}, {0, kLeads}}};
    CHECK(b.RefusedAs(kAda) == Reason::kRoleMissing);
  }
  SUBCASE("a rule by a group of the directory: nothing says who is in it") {
    Remote b;
    b.terms.by = {Users({})};
    b.terms.by[0].entra.groups = {kLeadsGroup};
    CHECK(b.RefusedAs(kAda) == Reason::kRoleMissing);
  }
  SUBCASE("a rule by somebody else") {
    Remote b;
    b.terms.by = {Users({kBob})};
    CHECK(b.RefusedAs(kAda) == Reason::kRoleMissing);
  }
  SUBCASE("one rule of two") {
    Remote b;
    b.terms.by = {Users({kAda}), {{"group:leads"}, {kLeads}}};
    CHECK(b.RefusedAs(kAda) == Reason::kRoleMissing);
  }
  SUBCASE("the person in whose name it is asked") {
    Remote b;
    b.entry.user_oid = kAda;
    b.terms.by = {Users({kAda})};
    CHECK(b.RefusedAs(kAda) == Reason::kOwnRequest);
  }
  SUBCASE("somebody else, where the rule wants just that person") {
    Remote b;
    b.entry.user_oid = kBob;
    b.terms.by = {{{"requester"}, {}, {}, true}};
    CHECK(b.RefusedAs(kAda) == Reason::kRoleMissing);
  }
  SUBCASE("a process that a person's login started: it could be theirs") {
    Remote b;
    b.entry.caller->loginuid = 2001;
    b.terms.by = {Users({kAda})};
    CHECK(b.RefusedAs(kAda) == Reason::kOwnRequest);
  }
  SUBCASE("what was not shown") {
    Remote b;
    const auto said = b.SayAs(true, kAda, "d1");
    REQUIRE_FALSE(said.has_value());
    CHECK(said.error().reason == Reason::kConflict);
  }
}

TEST_CASE("The requester decides from elsewhere where the rule wants just that person") {
  Remote b;
  b.entry.user_oid = kAda;
  b.terms.by = {{{"requester"}, {}, {}, true}};
  REQUIRE(b.SayAs(true, kAda).has_value());
  CHECK(b.Uses());
}

TEST_CASE("One who answers from elsewhere and, perhaps, here as well is one of two") {
  Remote b;
  b.terms.quorum = 2;
  REQUIRE(b.SayAs(true, kAda)->state == ApprovalState::kPending);
  CHECK(b.RefusedAs(kAda) == Reason::kConflict);
  const std::string id = b.Pending();
  const auto unknown = b.Say(true, id, Person(kLead));
  REQUIRE_FALSE(unknown.has_value());
  CHECK(unknown.error().reason == Reason::kConflict);
  const broker::policy::Person ada{kAda, {}}, bob{kBob, {}};
  CHECK_FALSE(b.Say(true, id, Person(kLead), &ada).has_value());
  const auto granted = b.Say(true, id, Person(kLead), &bob);
  REQUIRE(granted.has_value());
  CHECK(granted->state == ApprovalState::kGranted);
  CHECK(b.ledger.entries.back().approval_by ==
        std::string("oid:") + kAda + " uid:2001,oid:" + kBob);
}

TEST_CASE("A vote without a user of this machine survives a restart, and is nobody's user") {
  Remote b;
  b.terms.quorum = 2;
  REQUIRE(b.SayAs(true, kAda).has_value());
  const std::string id = b.Pending();
  b.Restart();
  const auto found = b.approvals->Find(id);
  REQUIRE(found.has_value());
  REQUIRE(found->votes.size() == 1);
  CHECK_FALSE(found->votes[0].uid.has_value());
  CHECK(found->votes[0].oid == kAda);
}

TEST_CASE("Rows of the version before are read, and those of a later one are not") {
  Bench b;
  b.terms.quorum = 2;
  const std::string id = b.Pending();
  REQUIRE(b.Say(true, id, Person(kLead)).has_value());
  const std::string row = broker::ToRow(*b.approvals->Find(id));
  const auto as = [&](const std::string& version, const std::string& votes) {
    std::string text = row;
    text.replace(text.find(R"("v":2,"votes":)"), std::string::npos,
                 R"("v":)" + version + R"(,"votes":)" + votes + "}");
    return broker::FromRow(text, b.clock);
  };
  // clang-format off
  struct Row { const char* what; const char* version; const char* votes; bool read; };
  const Row rows[] = {
      {"as it is",                           "2", R"([{"uid":2001}])",           true},
      {"as it was",                          "1", R"([{"uid":2001}])",           true},
      {"somebody elsewhere",                 "2", R"([{"oid":"a"}])",            true},
      {"nobody",                             "2", R"([{}])",                     false},
      {"a login alone",                      "2", R"([{"loginuid":2001}])",      false},
      {"of a later version",                 "3", R"([{"uid":2001}])",           false},
      {"of none",                            "0", R"([{"uid":2001}])",           false},
      {"a version that is a text",           R"("2")", R"([{"uid":2001}])",      false},
  };
  // clang-format on
  for (const Row& one : rows) {
    CAPTURE(std::string(one.what));
    CHECK(as(one.version, one.votes).has_value() == one.read);
  }
}
