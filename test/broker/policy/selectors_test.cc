#include "broker/policy/selectors.h"

#include <doctest/doctest.h>

using namespace broker::policy;

namespace {

// A process of the helpdesk unit, as the supervisor sees it.
Facts Helpdesk() {
  Facts facts;
  facts.uid = 2001;
  facts.gid = 3001;
  facts.groups = {3001, 3005};
  facts.pid = 77;
  facts.cgroup = "/system.slice/helpdesk.service";
  facts.systemd_unit = "helpdesk.service";
  facts.exe_path = "/opt/helpdesk/agent";
  facts.exe_matches = true;
  facts.exe_sha256 = std::string(64, 'a');
  return facts;
}

Agent Everything() {
  Agent agent;
  agent.selectors = {.uid = 2001,
                     .gid = 3005,
                     .user = "helpdesk",
                     .group = "desk",
                     .exe = "/opt/helpdesk/agent",
                     .exe_sha256 = std::string(64, 'a'),
                     .systemd_unit = "helpdesk.service",
                     .cgroup = "/system.slice"};
  return agent;
}

}  // namespace

TEST_CASE("A peer that differs in one fact, or of whom one is not known, is not the agent") {
  // clang-format off
  struct Row { std::string why; void (*spoil)(Facts&); std::string fault; };
  const Row rows[] = {
      {"another user",                  [](Facts& f) { f.uid = 2002; },                                      "user differs"},
      {"root",                          [](Facts& f) { f.uid = 0; },                                         "user differs"},
      {"an unmapped user",              [](Facts& f) { f.uid = 65534; },                                     "user could not be established"},
      {"not in the group",              [](Facts& f) { f.groups = {3001}; },                                 "group differs"},
      {"no groups at all",              [](Facts& f) { f.groups = {}; },                                     "group differs"},
      {"a neighbouring cgroup",         [](Facts& f) { f.cgroup = "/system.slice2/helpdesk.service"; },      "cgroup differs"},
      {"a cgroup above",                [](Facts& f) { f.cgroup = "/"; },                                    "cgroup differs"},
      {"the name elsewhere",            [](Facts& f) { f.cgroup = "/user.slice/system.slice"; },             "cgroup differs"},
      {"an unknown cgroup",             [](Facts& f) { f.cgroup = ""; },                                     "cgroup could not be established"},
      {"another unit",                  [](Facts& f) { f.systemd_unit = "cron.service"; },                   "systemd_unit differs"},
      {"an instance of the unit",       [](Facts& f) { f.systemd_unit = "helpdesk@1.service"; },             "systemd_unit differs"},
      {"no system unit",                [](Facts& f) { f.systemd_unit = ""; },                               "systemd_unit could not be established"},
      {"another program",               [](Facts& f) { f.exe_matches = false; },                             "exe differs"},
      {"a program that is not to see",  [](Facts& f) { f.exe_matches.reset(); },                             "exe could not be established"},
      {"another digest",                [](Facts& f) { f.exe_sha256 = std::string(64, 'b'); },               "exe_sha256 differs"},
      {"no digest",                     [](Facts& f) { f.exe_sha256 = ""; },                                 "exe_sha256 could not be established"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Facts facts = Helpdesk();
    row.spoil(facts);
    const SelectorMatch match = MatchSelectors(Everything(), facts);
    CHECK_FALSE(match.held());
    CHECK(match.FirstFault() == row.fault);
    CHECK(match.results.size() == 6);
  }
}

TEST_CASE("Who was let in stays only where it would be let in now") {
  Config before;
  before.agents["helpdesk"] = Everything();
  before.admin.operator_gids = {3007};
  const Facts operators{.uid = 7, .gid = 7, .groups = {7, 3007}};
  // clang-format off
  struct Row { std::string why; void (*change)(Config&); bool agent_stays, operator_stays; };
  const Row rows[] = {
      {"nothing changed",             [](Config&) {},                                                            true,  true},
      {"the agent is gone",           [](Config& c) { c.agents.clear(); },                                       false, true},
      {"another user",                [](Config& c) { c.agents.at("helpdesk").selectors.uid = 2002; },           false, true},
      {"another unit",                [](Config& c) { c.agents.at("helpdesk").selectors.systemd_unit = "a.service"; }, false, true},
      {"a cgroup above",              [](Config& c) { c.agents.at("helpdesk").selectors.cgroup = "/"; },         true,  true},
      {"another file to compare",     [](Config& c) { c.agents.at("helpdesk").selectors.exe = "/opt/other"; },   false, true},
      {"no file to compare any more", [](Config& c) { c.agents.at("helpdesk").selectors.exe = ""; },             true,  true},
      {"no selector",                 [](Config& c) { c.agents.at("helpdesk").selectors = {}; },                 false, true},
      {"another group of operators",  [](Config& c) { c.admin.operator_gids = {3006}; },                         true,  false},
      {"the operator's is an agent's", [](Config& c) { c.agents["new"].selectors.uid = 7; },                     true,  false},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Config now = before;
    row.change(now);
    CHECK(StillAdmits(before, now, "helpdesk", Helpdesk()) == row.agent_stays);
    CHECK(StillAdmits(before, now, "", operators) == row.operator_stays);
  }
  // What was compared with another file is not known of this one.
  before.agents.clear();
  Config joined;
  joined.agents["helpdesk"] = Everything();
  CHECK_FALSE(StillAdmits(before, joined, "helpdesk", Helpdesk()));
}

TEST_CASE("A peer with all the facts is the agent") {
  const SelectorMatch match = MatchSelectors(Everything(), Helpdesk());
  CHECK(match.held());
  CHECK(match.FirstFault().empty());
}

TEST_CASE("Only configured selectors count, and none at all is nobody") {
  Agent agent;
  CHECK_FALSE(MatchSelectors(agent, Helpdesk()).held());
  CHECK(MatchSelectors(agent, Helpdesk()).FirstFault() == "no selector");
  agent.selectors.gid = 3001;
  Facts facts = Helpdesk();
  facts.exe_matches.reset();
  facts.cgroup.clear();
  CHECK(MatchSelectors(agent, facts).held());
}

TEST_CASE("A cgroup selector covers the path itself and what lies below") {
  Agent agent;
  agent.selectors.cgroup = "/kubepods/pod1";
  Facts facts = Helpdesk();
  for (const char* inside : {"/kubepods/pod1", "/kubepods/pod1/", "/kubepods/pod1/c/d"}) {
    facts.cgroup = inside;
    CHECK(MatchSelectors(agent, facts).held());
  }
  for (const char* outside : {"/kubepods/pod10", "/kubepods/pod", "/kubepods", "kubepods/pod1",
                              "/../kubepods/pod1", "/x/kubepods/pod1"}) {
    facts.cgroup = outside;
    CHECK_FALSE(MatchSelectors(agent, facts).held());
  }
}

TEST_CASE("The operator's socket is for the groups of [admin], root and purserd's own user") {
  Admin admin;
  admin.operators = {"group:operators"};
  admin.operator_gids = {10};
  admin.approvers = {"group:leads", "group:operators"};
  admin.approver_gids = {20, 10};
  admin.auditors = {"group:security"};
  admin.auditor_gids = {30};
  admin.owner_uid = 500;
  // clang-format off
  struct Row { const char* why; Facts facts; bool held; };
  const Row rows[] = {
      {"an operator",                  {.uid = 5, .gid = 10, .groups = {10}},     true},
      {"an approver by another group", {.uid = 5, .gid = 5,  .groups = {7, 20, 5}}, true},
      {"an auditor",                   {.uid = 5, .gid = 5,  .groups = {30, 5}},  true},
      {"root",                         {.uid = 0, .gid = 0,  .groups = {0}},      true},
      {"purserd's own user",           {.uid = 500, .gid = 500, .groups = {500}}, true},
      {"a stranger",                   {.uid = 5, .gid = 5,  .groups = {5, 6}},   false},
      {"a user whose number is a group's", {.uid = 10, .gid = 5, .groups = {5}},  false},
      {"an unmapped user",             {},                                        false},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(std::string(row.why));
    const SelectorResult result = MatchAdmin(admin, row.facts);
    CHECK((result.outcome == SelectorOutcome::kHeld) == row.held);
    CHECK(result.wanted == "group:leads group:operators group:security");
  }
  CHECK(MatchAdmin(admin, {.uid = 5, .gid = 5, .groups = {6, 5}}).found == "5 6");
  CHECK(MatchAdmin({.owner_uid = 500}, {.uid = 5, .gid = 5, .groups = {5}}).outcome ==
        SelectorOutcome::kDiffers);
}

TEST_CASE("Who could be an agent is no admin, also if put into a group of [admin] later") {
  Config config;
  config.admin.operator_gids = {10};
  config.admin.owner_uid = 500;
  config.agents["a"].selectors.uid = 9;
  config.agents["b"].selectors.gid = 99;
  config.agents["c"].selectors.uid = 500;  // to try things out: allow_same_uid
  // clang-format off
  const struct { const char* who; Facts facts; bool held; } rows[] = {
      {"an agent's user",                            {.uid = 9,   .gid = 9,  .groups = {9, 10}},  false},
      {"whose group is the admins'",                 {.uid = 9,   .gid = 10, .groups = {10}},     false},
      {"a user with an agent's group",               {.uid = 5,   .gid = 99, .groups = {99, 10}}, false},
      {"a user in an agent's group",                 {.uid = 5,   .gid = 5,  .groups = {5, 10, 99}}, false},
      {"an operator",                                {.uid = 5,   .gid = 5,  .groups = {5, 10}},  true},
      {"root",                                       {.uid = 0,   .gid = 99, .groups = {99}},     true},
      {"purserd's own user, who is the agent, too",  {.uid = 500, .gid = 500, .groups = {}},      true},
  };
  // clang-format on
  for (const auto& row : rows) {
    CAPTURE(std::string(row.who));
    CHECK((MatchAdmin(config, row.facts).outcome == SelectorOutcome::kHeld) == row.held);
  }
}

TEST_CASE("Where people sign in, everybody may connect but who could be an agent") {
  Config config;
  config.admin.operators = {"entra-group:x"};
  config.admin.operator_entra.groups = {"x"};
  config.agents["a"].selectors.uid = 9;
  config.agents["b"].selectors.gid = 99;
  const auto held = [&](const Facts& facts) {
    return MatchAdmin(config, facts).outcome == SelectorOutcome::kHeld;
  };
  const Facts stranger{.uid = 5, .gid = 5};
  CHECK_FALSE(held(stranger));  // nobody can sign in
  config.admin.client_id = "c";
  CHECK(held(stranger));
  CHECK_FALSE(held({.uid = 9, .gid = 5}));
  CHECK_FALSE(held({.uid = 5, .gid = 99}));
  CHECK_FALSE(held({.uid = 5, .gid = 5, .groups = {99}}));
  config.admin.operator_entra = {};
  CHECK_FALSE(held(stranger));  // nobody is named
}

TEST_CASE("A fact that the peer chose is kept so that the ledger can hold it") {
  CHECK(RecordedFact("/opt/agent v2") == "/opt/agent v2");
  CHECK(RecordedFact("/tmp/\xff\x1b[2J\n\x7f\xc3\xa4") == "/tmp/??[2J????");
  CHECK(RecordedFact(std::string(5000, 'x')) == std::string(kMaxRecordedFact, 'x'));
}
