// Roles for a time by themselves: who gets none, and when each is over.
#include "sidecar/broker/timed_roles.h"

#include <doctest/doctest.h>

#include <map>
#include <memory>

#include "sidecar/broker/people.h"
#include "test/fakes/fake_clock.h"
#include "test/fakes/fake_ledger.h"
#include "test/fakes/fake_store.h"

using namespace sidecar::broker_role;
using broker::ApprovalVote, broker::ErrorCode, broker::Reason;
using broker::ledger::Entry, broker::ledger::EntryType;
using broker::policy::Config, broker::policy::Facts, broker::policy::Person;
using std::chrono::hours, std::chrono::minutes, std::chrono::seconds;

namespace {

constexpr const char* kAda = "44444444-0000-4000-8000-000000000001";
constexpr const char* kSam = "44444444-0000-4000-8000-000000000002";
constexpr uint32_t kHelper = 7, kAgent = 9, kAgents = 99;
const ApprovalVote kGiver{5, {}, {}};
const ApprovalVote kSignedIn{5, {}, kAda};
const Facts kHelpers{.uid = kHelper, .gid = kHelper};

Config Configured() {
  Config config;
  config.instance.name = "test";
  config.tenant.id = "8f0c1e5e-0000-4000-8000-000000000001";
  config.tenant.authority = "https://login.microsoftonline.com";
  config.admin.client_id = "33333333-0000-4000-8000-000000000001";
  config.admin.owner_uid = 40;
  config.agents["helpdesk"].selectors.uid = kAgent;
  config.agents["desk"].selectors.gid = kAgents;
  return config;
}

TimedRole Asked(RoleHolder holder, AdminRole role = AdminRole::kOperator, seconds lasts = hours(2),
                const ApprovalVote& giver = kGiver) {
  return {
      .holder = std::move(holder), .role = role, .lasts = lasts, .why = "support", .giver = giver};
}

struct Setup {
  FakeStore store;
  FakeLedger ledger;
  FakeClock clock;
  std::map<std::string, std::string> notes;
  Config config = Configured();
  std::unique_ptr<TimedRoles> roles = Made();

  std::unique_ptr<TimedRoles> Made() {
    auto made = std::make_unique<TimedRoles>(
        TimedRoles::Ports{store, ledger, clock,
                          [this](const char* name) -> broker::Result<std::string> {
                            const auto note = notes.find(name);
                            if (note != notes.end()) return note->second;
                            return broker::Fail(ErrorCode::kNotFound, "fake");
                          },
                          [this](const char* name, const std::string& text) -> broker::Status {
                            notes[name] = text;
                            return {};
                          }});
    REQUIRE(made->Load(false).has_value());
    return made;
  }
  void Restart() { roles = Made(); }
  std::optional<Reason> Give(const TimedRole& asked) {
    const auto given = roles->Give(config, asked, Entry{});
    return given ? std::nullopt : std::optional(given.error().reason);
  }
  bool Has(const Facts& facts, AdminRole role, const Person* person = nullptr) {
    return Holds(config.admin, facts, role, person, roles->Of(config, facts, person));
  }
  bool HelperHolds() { return Has(kHelpers, AdminRole::kOperator); }
  std::string LastEnd() {
    roles->Tick(config);
    REQUIRE_FALSE(ledger.entries.empty());
    const Entry& last = ledger.entries.back();
    return last.type == EntryType::kRoleEnded ? std::get<std::string>(last.change.at("by")) : "";
  }
};

}  // namespace

TEST_CASE("A role is given to nobody who must not have it") {
  const auto to = [](uint32_t uid) { return RoleHolder{uid, {}}; };
  const auto person = [](const char* oid) { return RoleHolder{0, oid}; };
  const ApprovalVote sudo{0, 7, {}}, root{0, {}, {}};
  const auto kOp = AdminRole::kOperator;
  // clang-format off
  struct Row { const char* what; TimedRole asked; std::optional<Reason> refused; };
  const Row rows[] = {
      {"root holds each role anyway",           Asked(to(0)),                                     Reason::kValueOutOfRange},
      {"so does the user of purserd",           Asked(to(40)),                                    Reason::kValueOutOfRange},
      {"a user whom nobody mapped",             Asked(to(65534)),                                 Reason::kValueOutOfRange},
      {"no user at all",                        Asked(to(4294967295)),                            Reason::kValueOutOfRange},
      {"an agent's user",                       Asked(to(kAgent)),                                Reason::kRoleMissing},
      {"an agent's user, as an auditor",        Asked(to(kAgent), AdminRole::kAuditor),           Reason::kRoleMissing},
      {"who gives",                             Asked(to(5)),                                     Reason::kOwnRequest},
      {"who is behind sudo",                    Asked(to(7), kOp, hours(1), sudo),                Reason::kOwnRequest},
      {"who gives, behind another login",       Asked(to(5), kOp, hours(1), {5, 1000, {}}),       Reason::kOwnRequest},
      {"the login of who gives",                Asked(to(1000), kOp, hours(1), {5, 1000, {}}),    Reason::kOwnRequest},
      {"the person who gives",                  Asked(person(kAda), kOp, hours(1), kSignedIn),    Reason::kOwnRequest},
      {"a person, by who says not who it is",   Asked(person(kSam)),                              Reason::kPersonRequired},
      {"a person, by root who is not signed in", Asked(person(kSam), kOp, hours(1), root),        Reason::kPersonRequired},
      {"for no time",                           Asked(to(7), kOp, seconds(0)),                    Reason::kValueOutOfRange},
      {"for less than none",                    Asked(to(7), kOp, seconds(-1)),                   Reason::kValueOutOfRange},
      {"for a moment",                          Asked(to(7), kOp, seconds(59)),                   Reason::kValueOutOfRange},
      {"for more than a day",                   Asked(to(7), kOp, hours(24) + seconds(1)),        Reason::kValueOutOfRange},
      {"another user",                          Asked(to(7)),                                     std::nullopt},
      {"another user, for a day",               Asked(to(7), kOp, hours(24)),                     std::nullopt},
      {"another person, by who is signed in",   Asked(person(kSam), kOp, hours(1), kSignedIn),    std::nullopt},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Setup s;
    CHECK(s.Give(row.asked) == row.refused);
    CHECK(s.ledger.entries.size() == (row.refused ? 0 : 1));
    CHECK(s.roles->List(s.config).size() == (row.refused ? 0 : 1));
  }
}

TEST_CASE("Where nobody can sign in no person is given a role") {
  Setup s;
  s.config.admin.client_id.clear();
  const auto asked = Asked({0, kSam}, AdminRole::kOperator, hours(1), kSignedIn);
  CHECK(s.Give(asked) == Reason::kNotFound);
}

TEST_CASE("A role holds what it is, and for its holder alone") {
  Setup s;
  REQUIRE_FALSE(s.Give(Asked({kHelper, {}}, AdminRole::kAuditor)));
  REQUIRE_FALSE(s.Give(Asked({0, kSam}, AdminRole::kApprover, hours(1), kSignedIn)));
  const Person sam{kSam, {}}, ada{kAda, {}};
  const Facts other{.uid = 8, .gid = kHelper, .groups = {kHelper}};
  const Facts behind{.uid = 8, .gid = 8, .loginuid = kHelper};
  // clang-format off
  struct Row { const char* who; Facts facts; const Person* person; AdminRole role; bool holds; };
  const Row rows[] = {
      {"an auditor is no operator",             kHelpers, nullptr, AdminRole::kOperator, false},
      {"an auditor is no approver",             kHelpers, nullptr, AdminRole::kApprover, false},
      {"a group of that number is no user",     other,    nullptr, AdminRole::kAuditor,  false},
      {"a login of that number is no user",     behind,   nullptr, AdminRole::kAuditor,  false},
      {"another person is not the person",      other,    &ada,    AdminRole::kApprover, false},
      {"nobody signed in is not the person",    other,    nullptr, AdminRole::kApprover, false},
      {"an approver is no operator",            other,    &sam,    AdminRole::kOperator, false},
      {"an approver is no auditor",             other,    &sam,    AdminRole::kAuditor,  false},
      {"the auditor",                           kHelpers, nullptr, AdminRole::kAuditor,  true},
      {"the approver, behind any user",         other,    &sam,    AdminRole::kApprover, true},
      {"the approver sees what waits",          other,    &sam,    AdminRole::kAnyRole,  true},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.who);
    CHECK(s.Has(row.facts, row.role, row.person) == row.holds);
  }
}

TEST_CASE("A role serves nobody who may be the one who gave it, nor an agent") {
  Setup s;
  REQUIRE_FALSE(s.Give(Asked({kHelper, {}}, AdminRole::kOperator, hours(1), {0, 1000, kAda})));
  REQUIRE_FALSE(s.Give(Asked({0, kSam}, AdminRole::kApprover, hours(1), {5, {}, kAda})));
  const Person sam{kSam, {}}, ada{kAda, {}};
  const Facts sudo{.uid = kHelper, .gid = kHelper, .loginuid = 1000};
  const Facts own{.uid = 5, .gid = 5};
  const Facts agents{.uid = kHelper, .gid = kHelper, .groups = {kAgents}};
  CHECK_FALSE(s.Has(sudo, AdminRole::kOperator));
  CHECK_FALSE(s.Has(kHelpers, AdminRole::kOperator, &ada));
  CHECK_FALSE(s.Has(own, AdminRole::kApprover, &sam));
  CHECK_FALSE(s.Has({.uid = 8, .gid = kAgents}, AdminRole::kApprover, &sam));
  CHECK(s.Has({.uid = 8, .gid = 8}, AdminRole::kApprover, &sam));
  CHECK(s.HelperHolds());
  CHECK_FALSE(s.Has(agents, AdminRole::kOperator));
  CHECK_FALSE(s.HelperHolds());  // it ended, for whoever runs as that user
  CHECK(s.LastEnd() == "agent");
}

TEST_CASE("A role is in the ledger before it holds, and its end once") {
  Setup s;
  SUBCASE("without a ledger nobody gets one") {
    s.ledger.fail_with = ErrorCode::kUnavailable;
    CHECK(s.Give(Asked({kHelper, {}})) == Reason::kLedgerUnavailable);
    CHECK_FALSE(s.HelperHolds());
  }
  SUBCASE("nor without the store, and the ledger says that it ended") {
    s.store.fail_with = ErrorCode::kUnavailable;
    CHECK(s.Give(Asked({kHelper, {}})) == Reason::kStoreUnavailable);
    CHECK_FALSE(s.HelperHolds());
    REQUIRE(s.ledger.entries.size() == 2);
    CHECK(s.ledger.entries[0].type == EntryType::kRoleGranted);
    CHECK(s.ledger.entries[1].type == EntryType::kRoleEnded);
  }
  SUBCASE("with its place before what it holds is kept") {
    s.store.on_put = [&](const broker::SecretId&) {
      CHECK(s.ledger.entries.size() == 1);
      CHECK_FALSE(s.HelperHolds());
    };
    CHECK_FALSE(s.Give(Asked({kHelper, {}})));
    CHECK(s.HelperHolds());
    const Entry& entry = s.ledger.entries.at(0);
    CHECK(std::get<std::string>(entry.change.at("holder")) == "uid:7");
    CHECK(std::get<std::string>(entry.change.at("role")) == "operator");
    CHECK(std::get<std::string>(entry.change.at("why")) == "support");
  }
  SUBCASE("an end that the ledger does not take is offered again") {
    CHECK_FALSE(s.Give(Asked({kHelper, {}})));
    s.clock.Advance(hours(2));
    s.ledger.fail_with = ErrorCode::kUnavailable;
    s.roles->Tick(s.config);
    CHECK_FALSE(s.HelperHolds());
    CHECK(s.ledger.entries.size() == 1);
    s.ledger.fail_with.reset();
    CHECK(s.LastEnd() == "time");
    s.roles->Tick(s.config);
    s.Restart();
    s.roles->Tick(s.config);
    CHECK(s.ledger.entries.size() == 2);
  }
}

TEST_CASE("Before the store is open nobody is given a role") {
  Setup s;
  TimedRoles closed({s.store, s.ledger, s.clock,
                     [](const char*) -> broker::Result<std::string> {
                       return broker::Fail(ErrorCode::kUnavailable, "sealed");
                     },
                     [](const char*, const std::string&) -> broker::Status { return {}; }});
  CHECK(closed.Give(s.config, Asked({kHelper, {}}), Entry{}).error().reason == Reason::kSealed);
  CHECK(s.ledger.entries.empty());
  s.store.fail_with = ErrorCode::kUnavailable;
  CHECK_FALSE(closed.Load(false).has_value());
}

TEST_CASE("A role ends by itself, whatever becomes of the wall clock") {
  Setup s;
  REQUIRE_FALSE(s.Give(Asked({kHelper, {}})));
  SUBCASE("on time") {
    s.clock.Advance(hours(2) - seconds(1));
    CHECK(s.HelperHolds());
    s.clock.Advance(seconds(1));
  }
  SUBCASE("on time where the date was put back") {
    s.clock.AdvanceWall(-hours(48));
    s.clock.Advance(hours(2));
  }
  SUBCASE("where the machine slept") { s.clock.AdvanceWall(hours(2)); }
  SUBCASE("over a restart") {
    s.clock.Advance(hours(1));
    s.Restart();
    CHECK(s.HelperHolds());
    s.clock.Advance(hours(1));
  }
  SUBCASE("over a restart for which the date was put back") {
    s.clock.Advance(hours(1));
    s.roles->Tick(s.config);
    s.clock.AdvanceWall(-hours(24));
    s.Restart();
    CHECK(s.HelperHolds());
    s.clock.Advance(hours(1));
  }
  SUBCASE("while purser is down") {
    s.clock.Advance(hours(3));
    s.Restart();
  }
  CHECK_FALSE(s.HelperHolds());
  CHECK(s.roles->List(s.config).empty());
  CHECK(s.LastEnd() == "time");
}

TEST_CASE("With neither note nor a true date a restart gives it its own time at most") {
  Setup s;
  REQUIRE_FALSE(s.Give(Asked({kHelper, {}})));
  s.notes.clear();
  s.clock.AdvanceWall(-hours(24 * 365));
  s.Restart();
  s.clock.Advance(hours(2));
  CHECK_FALSE(s.HelperHolds());
}

TEST_CASE("What becomes void ends for good") {
  Setup s;
  const Person sam{kSam, {}};
  const Facts other{.uid = 8, .gid = 8};
  SUBCASE("a user who becomes an agent's") {
    REQUIRE_FALSE(s.Give(Asked({kHelper, {}})));
    s.config.agents["new"].selectors.uid = kHelper;
    CHECK_FALSE(s.HelperHolds());
    s.config = Configured();
    CHECK_FALSE(s.HelperHolds());
    CHECK(s.LastEnd() == "agent");
  }
  SUBCASE("a person of another tenant or registration") {
    REQUIRE_FALSE(s.Give(Asked({0, kSam}, AdminRole::kOperator, hours(1), kSignedIn)));
    CHECK(s.Has(other, AdminRole::kOperator, &sam));
    s.config.admin.client_id = kAda;
    s.roles->Review(s.config);
    s.config = Configured();
    CHECK_FALSE(s.Has(other, AdminRole::kOperator, &sam));
    CHECK(s.LastEnd() == "tenant");
  }
  SUBCASE("all of a backup") {
    REQUIRE_FALSE(s.Give(Asked({kHelper, {}})));
    REQUIRE(s.roles->Load(true).has_value());
    CHECK_FALSE(s.HelperHolds());
    CHECK(s.LastEnd() == "restore");
  }
  SUBCASE("all of a backup, though purser crashes right away") {
    REQUIRE_FALSE(s.Give(Asked({kHelper, {}})));
    REQUIRE(s.roles->Load(true).has_value());
    s.Restart();
    CHECK_FALSE(s.HelperHolds());
    CHECK(s.LastEnd() == "restore");
  }
  s.Restart();
  CHECK_FALSE(s.HelperHolds());
  CHECK(s.roles->List(s.config).empty());
}

TEST_CASE("Before the first configuration nothing is void") {
  Setup s;
  REQUIRE_FALSE(s.Give(Asked({0, kSam}, AdminRole::kOperator, hours(1), kSignedIn)));
  s.Restart();
  s.roles->Tick(Config{});
  CHECK(s.roles->List(s.config).size() == 1);
}

TEST_CASE("An operator ends a role at once, whatever ledger and store say") {
  Setup s;
  REQUIRE_FALSE(s.Give(Asked({kHelper, {}})));
  const auto end = [&](AdminRole role) {
    return s.roles->End(s.config, {kHelper, {}}, role, Entry{.request_id = "req-9"});
  };
  CHECK(end(AdminRole::kAuditor).error().reason == Reason::kNotFound);
  CHECK(s.HelperHolds());
  SUBCASE("and it is recorded") {
    const auto done = end(AdminRole::kOperator);
    REQUIRE(done.has_value());
    CHECK(done->seq == 2);
    CHECK(done->kept);
  }
  SUBCASE("without a ledger, which has it later") {
    s.ledger.fail_with = ErrorCode::kUnavailable;
    const auto done = end(AdminRole::kOperator);
    REQUIRE(done.has_value());
    CHECK_FALSE(done->seq);
    CHECK_FALSE(s.HelperHolds());
    s.ledger.fail_with.reset();
    CHECK(s.LastEnd() == "operator");
    CHECK(s.ledger.entries.back().request_id == "req-9");
  }
  SUBCASE("without a ledger, over a restart") {
    s.ledger.fail_with = ErrorCode::kUnavailable;
    REQUIRE(end(AdminRole::kOperator).has_value());
    s.ledger.fail_with.reset();
    s.Restart();
    CHECK(s.LastEnd() == "operator");
  }
  SUBCASE("without the store, which has it later") {
    s.store.fail_with = ErrorCode::kUnavailable;
    const auto done = end(AdminRole::kOperator);
    REQUIRE(done.has_value());
    CHECK_FALSE(done->kept);
    s.store.fail_with.reset();
    s.roles->Tick(s.config);
  }
  CHECK_FALSE(s.HelperHolds());
  s.Restart();
  CHECK_FALSE(s.HelperHolds());
  CHECK(end(AdminRole::kOperator).error().reason == Reason::kNotFound);
}

TEST_CASE("There are so many at a time, and one of a kind for each") {
  Setup s;
  REQUIRE_FALSE(s.Give(Asked({kHelper, {}})));
  CHECK(s.Give(Asked({kHelper, {}}, AdminRole::kOperator, hours(24))) == Reason::kConflict);
  for (uint32_t uid = 101; uid < 100 + TimedRoles::kMost; ++uid) {
    REQUIRE_FALSE(s.Give(Asked({uid, {}}, AdminRole::kOperator, hours(3))));
  }
  CHECK(s.Give(Asked({500, {}})) == Reason::kOverloaded);
  s.clock.Advance(hours(2));
  CHECK_FALSE(s.Give(Asked({500, {}})));
  CHECK_FALSE(s.Has(kHelpers, AdminRole::kOperator));
}

TEST_CASE("A row or a note that cannot be read gives nobody anything") {
  for (const char* row : {"", "x", "[]", R"({"v":2,"roles":[]})", R"({"v":1})",
                          R"({"v":1,"roles":[{"uid":7}]})", R"({"v":1,"roles":7})"}) {
    CAPTURE(row);
    CHECK(RolesFromRow(row).empty());
  }
  std::vector<TimedRole> roles = {Asked({kHelper, {}})};
  const FakeClock clock;
  roles[0].ends_unix = UnixOf(clock.WallNow()) + 7200;
  for (const char* note :
       {"", "x", "7", R"({"uid:7 operator":"long"})", R"({"uid:8 operator":1})"}) {
    CAPTURE(note);
    Resume(note, clock.Now(), clock.WallNow(), &roles);
    CHECK(roles[0].ends == clock.Now() + hours(2));
  }
  Resume(R"({"uid:7 operator":-5})", clock.Now(), clock.WallNow(), &roles);
  CHECK(roles[0].ends == clock.Now());
}
