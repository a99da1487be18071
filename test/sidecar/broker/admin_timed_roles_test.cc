// Roles for a time on the operator's socket: who gives, who ends, who sees.
#include <algorithm>
#include <functional>

#include "test/sidecar/broker/admin_fixture.h"

using namespace admin_test;
using broker::ledger::EntryType;
using broker::policy::Config;
using std::chrono::hours;

namespace {

constexpr const char* kOperatorRole =
    R"({"uid":7,"role":"operator","seconds":7200,"why":"support"})";
constexpr const char* kEnd = R"({"uid":7,"role":"operator"})";
inline const Peer kRoot{{"", {.uid = 0, .gid = 0}, {}}, true};
inline const Peer kHelpersSudo{{"", {.uid = 0, .gid = 0, .loginuid = 7}, {}}, true};
inline const Peer kApprover{{"", {.uid = 8, .gid = 20}, {}}, true};

// kStranger (uid 7) is who is given roles; uid 9 and gid 99 are agents'.
struct Setup : Fixture {
  Setup() {
    REQUIRE(timed_roles.Load(false).has_value());
    Use([](Config&) {});
  }
  void Use(const std::function<void(Config&)>& edit) {
    Config config = ThreeCredentials();
    config.admin.operators = {"group:ops", "entra-group:55555555-0000-4000-8000-000000000001"};
    config.admin.approver_gids = {20};
    config.agents["helpdesk"].selectors.uid = 9;
    config.agents["desk"].selectors.gid = 99;
    edit(config);
    broker.SetConfig(std::make_shared<const Config>(config));
  }
  Reply Give(const Peer& peer, const std::string& body = kOperatorRole) {
    return Ask(peer, "POST", "/v1/roles", body);
  }
  /// What waits for so many people, and what they send of it.
  std::pair<std::string, std::string> Pending(uint32_t quorum) {
    broker::ledger::Entry entry;
    entry.agent = "helpdesk";
    entry.caller = broker::ledger::CallerRecord{.uid = 9, .gid = 9};
    broker::policy::ApprovalTerms terms;
    terms.quorum = quorum;
    const auto credentials = ThreeCredentials().credentials;
    const auto asked = approvals.Ask({.entry = entry,
                                      .terms = terms,
                                      .credential = credentials.at("certificate"),
                                      .exe = {},
                                      .claims = {},
                                      .can_also = {},
                                      .wanted = {},
                                      .alive = {}});
    REQUIRE_FALSE(asked.has_value());
    REQUIRE(asked.error().approval.has_value());
    const std::string id = asked.error().approval->id;
    return {"/v1/approvals/" + id + "/approve",
            json{{"digest", approvals.Find(id)->digest}}.dump()};
  }
  bool StrangerOperates() { return Ask(kStranger, "POST", "/v1/reload").status == 200; }
};

}  // namespace

TEST_CASE("Only operators by configuration give roles, and each refusal is recorded") {
  Setup s;
  struct Row {
    const char* who;
    Peer peer;
    const char* reason;
  };
  const Row rows[] = {
      {"a stranger", kStranger, "role_missing"},
      {"an auditor", kAuditor, "role_missing"},
      {"an approver", kApprover, "role_missing"},
      {"root, whom the receiver became", kHelpersSudo, "own_request"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.who);
    CHECK(s.Give(row.peer).reason() == row.reason);
    CHECK(s.ledger.entries.back().type == EntryType::kAdminDenied);
  }
  SUBCASE("an operator for a time is none") {
    CHECK(s.Give(kOperator).status == 200);
    CHECK(s.StrangerOperates());
    const auto refused = s.Give(kStranger, R"({"uid":8,"role":"auditor","seconds":60,"why":"x"})");
    CHECK(refused.reason() == "role_missing");
    CHECK(refused.body["error_description"].get<std::string>().find("for a time") !=
          std::string::npos);
    CHECK(s.timed_roles.List(*s.broker.config()).size() == 1);
  }
  SUBCASE("nor who is not signed in, where a person is asked for") {
    s.Use([](Config& config) { config.admin.require_person = true; });
    CHECK(s.Give(kOperator).reason() == "person_required");
    CHECK(s.Give(kRoot).reason() == "person_required");
    CHECK(s.Ask(kOperator, "POST", "/v1/roles/end", kEnd).reason() == "not_found");
  }
  SUBCASE("operators do") {
    const auto given = s.Give(kOperator);
    CHECK(given.body["seq"] == s.ledger.entries.size());
  }
  SUBCASE("root does") { CHECK(s.Give(kRoot).status == 200); }
}

TEST_CASE("What does not say whom, what, how long and why gives nothing") {
  Setup s;
  const struct Row {
    const char* body;
    const char* reason;
  } rows[] = {
      {R"({"role":"operator","seconds":60,"why":"x"})", "missing_field"},
      {R"({"uid":7,"oid":"55555555-0000-4000-8000-000000000001","role":"operator","seconds":60,"why":"x"})",
       "missing_field"},
      {R"({"uid":7,"seconds":60,"why":"x"})", "missing_field"},
      {R"({"uid":7,"role":"operator","why":"x"})", "missing_field"},
      {R"({"uid":7,"role":"operator","seconds":60})", "missing_field"},
      {R"({"uid":7,"role":"operator","seconds":60,"why":"x","all":true})", "unknown_field"},
      {R"({"uid":"7","role":"operator","seconds":60,"why":"x"})", "wrong_type"},
      {R"({"uid":-7,"role":"operator","seconds":60,"why":"x"})", "wrong_type"},
      {R"({"uid":4294967303,"role":"operator","seconds":60,"why":"x"})", "wrong_type"},
      {R"({"oid":"sam","role":"operator","seconds":60,"why":"x"})", "wrong_type"},
      {R"({"oid":7,"role":"operator","seconds":60,"why":"x"})", "wrong_type"},
      {R"({"uid":7,"role":"root","seconds":60,"why":"x"})", "value_out_of_range"},
      {R"({"uid":7,"role":"anyone","seconds":60,"why":"x"})", "value_out_of_range"},
      {R"({"uid":7,"role":1,"seconds":60,"why":"x"})", "value_out_of_range"},
      {R"({"uid":7,"role":"operator","seconds":86401,"why":"x"})", "value_out_of_range"},
      {R"({"uid":7,"role":"operator","seconds":4294967296,"why":"x"})", "value_out_of_range"},
      {R"({"uid":7,"role":"operator","seconds":0,"why":"x"})", "value_out_of_range"},
      {R"({"uid":7,"role":"operator","seconds":"2h","why":"x"})", "value_out_of_range"},
      {R"({"uid":7,"role":"operator","seconds":60,"why":""})", "value_out_of_range"},
      {R"({"uid":7,"role":"operator","seconds":60,"why":7})", "value_out_of_range"},
      {"{\"uid\":7,\"role\":\"operator\",\"seconds\":60,\"why\":\"a\\nb\"}", "value_out_of_range"},
      {R"({"uid":5,"role":"operator","seconds":60,"why":"x"})", "own_request"},
      {R"({"uid":9,"role":"auditor","seconds":60,"why":"x"})", "role_missing"},
      {R"({"uid":0,"role":"auditor","seconds":60,"why":"x"})", "value_out_of_range"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.body);
    CHECK(s.Give(kOperator, row.body).reason() == row.reason);
  }
  CHECK(s.timed_roles.List(*s.broker.config()).empty());
  for (const auto& entry : s.ledger.entries) CHECK(entry.type == EntryType::kAdminDenied);
}

TEST_CASE("Who holds a role for a time does what it allows until it ends") {
  Setup s;
  CHECK_FALSE(s.StrangerOperates());
  REQUIRE(s.Give(kOperator).status == 200);
  CHECK(s.ledger.entries.back().type == EntryType::kRoleGranted);
  CHECK(s.ledger.entries.back().caller->uid == kOperator.caller.facts.uid);
  CHECK(s.StrangerOperates());
  CHECK(s.Ask(kStranger, "GET", "/v1/status").status == 200);
  CHECK(s.Ask(kStranger, "POST", "/v1/approvals/00/approve", R"({"digest":"x"})").reason() ==
        "role_missing");
  SUBCASE("by itself") { s.clock.Advance(hours(2)); }
  SUBCASE("by an operator") {
    CHECK(s.Ask(kAuditor, "POST", "/v1/roles/end", kEnd).reason() == "role_missing");
    const auto ended = s.Ask(kOperator, "POST", "/v1/roles/end", kEnd);
    CHECK(ended.body["recorded"] == true);
    CHECK(s.ledger.entries.back().type == EntryType::kRoleEnded);
    CHECK(s.Ask(kOperator, "POST", "/v1/roles/end", kEnd).reason() == "not_found");
  }
  SUBCASE("by a configuration that has an agent of that user") {
    s.Use([](Config& config) { config.agents["helpdesk"].selectors.uid = 7; });
  }
  CHECK_FALSE(s.StrangerOperates());
  CHECK(s.Ask(kStranger, "GET", "/v1/status").reason() == "role_missing");
}

TEST_CASE("Where two release, nobody makes the second one by giving the role") {
  Setup s;
  const char* all = R"({"all":true,"why":"over"})";
  REQUIRE(s.Give(kOperator).status == 200);
  REQUIRE(s.Ask(kStranger, "POST", "/v1/kill", all).status == 200);
  SUBCASE("neither as the second one") {
    s.Use([](Config& config) { config.admin.two_person_release = true; });
    CHECK(s.Ask(kOperator, "POST", "/v1/release", all).body.contains("proposed"));
    CHECK(s.Ask(kStranger, "POST", "/v1/release", all).reason() == "role_missing");
    CHECK(s.Ask(kRoot, "POST", "/v1/release", all).body.contains("released"));
  }
  SUBCASE("nor as the first one") {
    s.Use([](Config& config) { config.admin.two_person_release = true; });
    CHECK(s.Ask(kStranger, "POST", "/v1/release", all).reason() == "role_missing");
    CHECK(s.Ask(kOperator, "POST", "/v1/release", all).body.contains("proposed"));
  }
  SUBCASE("where one is enough, who holds it for a time is") {
    CHECK(s.Ask(kStranger, "POST", "/v1/release", all).body.contains("released"));
  }
}

TEST_CASE("Nobody gives a role that is not theirs by the configuration") {
  Setup s;
  const char* approver = R"({"uid":7,"role":"approver","seconds":3600,"why":"night shift"})";
  const Peer both{{"", {.uid = 5, .gid = 5, .groups = {10, 20}}, {}}, true};
  CHECK(s.Give(kOperator, approver).reason() == "role_missing");
  CHECK(s.ledger.entries.back().type == EntryType::kAdminDenied);
  SUBCASE("nor by one that they were given") {
    REQUIRE(s.Give(kRoot, R"({"uid":5,"role":"approver","seconds":60,"why":"x"})").status == 200);
    CHECK(s.Give(kOperator, approver).reason() == "role_missing");
  }
  SUBCASE("an operator who is an approver, too, does") {
    CHECK(s.Give(both, approver).status == 200);
  }
  SUBCASE("root does") { CHECK(s.Give(kRoot, approver).status == 200); }
}

TEST_CASE("Where several approve, nobody makes the others by giving the role") {
  Setup s;
  const Peer both{{"", {.uid = 5, .gid = 5, .groups = {10, 20}}, {}}, true};
  REQUIRE(s.Give(both, R"({"uid":7,"role":"approver","seconds":3600,"why":"x"})").status == 200);
  SUBCASE("of two") {
    const auto [path, yes] = s.Pending(2);
    CHECK(s.Ask(kStranger, "POST", path, yes).reason() == "role_missing");
    CHECK(s.ledger.entries.back().type == EntryType::kAdminDenied);
    CHECK(s.Ask(both, "POST", path, yes).body["state"] == "pending");
    CHECK(s.Ask(kStranger, "POST", path, yes).reason() == "role_missing");
    CHECK(s.Ask(kApprover, "POST", path, yes).body["state"] == "granted");
  }
  SUBCASE("a no is taken from anybody") {
    auto [path, no] = s.Pending(2);
    path.replace(path.rfind('/'), std::string::npos, "/deny");
    CHECK(s.Ask(kStranger, "POST", path, no).body["state"] == "denied");
  }
  SUBCASE("where one is enough, who holds it for a time is") {
    const auto [path, yes] = s.Pending(1);
    CHECK(s.Ask(kStranger, "POST", path, yes).body["state"] == "granted");
  }
}

TEST_CASE("Whoever holds a role sees who holds which, by what and until when") {
  Setup s;
  CHECK(s.Ask(kStranger, "GET", "/v1/roles").reason() == "role_missing");
  REQUIRE(s.Give(kOperator).status == 200);
  const auto seen = s.Ask(kAuditor, "GET", "/v1/roles");
  CHECK(seen.body["yours"] == json::array({"auditor"}));
  const auto has = [&](const char* by, const char* holder) {
    return std::ranges::any_of(seen.body["roles"], [&](const json& one) {
      return one["by"] == by && one["holder"] == holder && one["role"] == "operator";
    });
  };
  CHECK(has("machine", "uid:0"));
  CHECK(has("group", "group:ops"));
  CHECK(has("entra", "entra-group:55555555-0000-4000-8000-000000000001"));
  CHECK(has("time", "uid:7"));
  CHECK(seen.body["roles"].back()["given_by"] == "uid:5");
  CHECK(seen.body["roles"].back()["why"] == "support");
  CHECK(s.Ask(kStranger, "GET", "/v1/roles").body["yours"] == json::array({"operator", "auditor"}));
}
