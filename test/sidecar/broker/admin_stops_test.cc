// The operator's stops: they work first and are recorded then.
#include <doctest/doctest.h>

#include "test/sidecar/broker/admin_fixture.h"

using namespace admin_test;
using broker::ErrorCode;
using broker::ledger::EntryType, broker::ledger::Outcome;
using nlohmann::json;

namespace {

struct Stopping : Fixture {
  Stopping() {
    auto config = ThreeCredentials();
    config.agents["helpdesk"].name = "helpdesk";
    config.agents["billing"].name = "billing";
    broker.SetConfig(std::make_shared<const broker::policy::Config>(std::move(config)));
  }
  bool Stopped(const char* agent) { return broker.kills().IsStopped(agent); }
};

}  // namespace

TEST_CASE("A kill stops whom it names, and its entry says who gave it and why") {
  Stopping f;
  const auto told = f.Ask(kOperator, "POST", "/v1/kill", R"({"agent":"helpdesk","why":"spam"})");
  CHECK(told.status == 200);
  CHECK(told.body["stopped"] == "helpdesk");
  CHECK(told.body["recorded"] == true);
  CHECK(told.body["seq"] == 1);
  CHECK(told.body["alive"] == json::array());
  CHECK(f.Stopped("helpdesk"));
  CHECK_FALSE(f.Stopped("billing"));
  REQUIRE(f.ledger.entries.size() == 1);
  const auto& entry = f.ledger.entries[0];
  CHECK(entry.type == EntryType::kKillEngaged);
  CHECK(entry.outcome == Outcome::kSuccess);
  CHECK(entry.agent == "helpdesk");
  CHECK(entry.caller->uid == 5);
  CHECK(std::get<std::string>(entry.change.at("why")) == "spam");
  CHECK(f.Ask(kAuditor, "GET", "/v1/status").body["stopped"]["agents"] == json{"helpdesk"});
}

TEST_CASE("A kill works although nothing can be recorded, and says that it is not") {
  Stopping f;
  f.ledger.fail_with = ErrorCode::kUnavailable;
  const auto told = f.Ask(kOperator, "POST", "/v1/kill", R"({"all":true})");
  CHECK(told.status == 200);
  CHECK(told.body["recorded"] == false);
  CHECK(told.body.contains("why_not_recorded"));
  CHECK(f.Stopped("helpdesk"));
  CHECK(f.Stopped("billing"));
}

TEST_CASE("A release is recorded first: without its entry nobody goes on") {
  Stopping f;
  f.broker.Stop("");
  f.ledger.fail_with = ErrorCode::kUnavailable;
  const auto refused = f.Ask(kOperator, "POST", "/v1/release", R"({"all":true,"why":"fine"})");
  CHECK(refused.reason() == "ledger_unavailable");
  CHECK(f.Stopped("helpdesk"));
  f.ledger.fail_with.reset();
  CHECK(f.Ask(kOperator, "POST", "/v1/release", R"({"all":true,"why":"fine"})").status == 200);
  CHECK_FALSE(f.Stopped("helpdesk"));
  CHECK(f.ledger.entries.back().type == EntryType::kKillReleased);
  CHECK(std::get<std::string>(f.ledger.entries.back().change.at("why")) == "fine");
}

TEST_CASE("A release of all says who is still stopped by name") {
  Stopping f;
  f.broker.Stop("billing");
  f.broker.Stop("");
  const auto told = f.Ask(kOperator, "POST", "/v1/release", R"({"all":true,"why":"fine"})");
  CHECK(told.body["still_stopped"] == json{{"all", false}, {"agents", {"billing"}}});
}

TEST_CASE("What is no order changes nobody's state, and is in the ledger") {
  // clang-format off
  struct Row { const char* why; const char* path; const char* body; const char* want; };
  const Row rows[] = {
      {"nobody named",                  "/v1/kill",    "{}",                                       "missing_field"},
      {"one and all",                   "/v1/kill",    R"({"agent":"helpdesk","all":true})",       "missing_field"},
      {"all is a text",                 "/v1/kill",    R"({"all":"yes"})",                         "wrong_type"},
      {"all is false",                  "/v1/kill",    R"({"all":false})",                         "wrong_type"},
      {"the agent is a number",         "/v1/kill",    R"({"agent":7})",                           "wrong_type"},
      {"the agent is empty, not all",   "/v1/kill",    R"({"agent":""})",                          "missing_field"},
      {"a name of a slip",              "/v1/kill",    R"({"agent":"helpdisk"})",                  "not_found"},
      {"a reason that is a number",     "/v1/kill",    R"({"agent":"helpdesk","why":1})",          "wrong_type"},
      {"an empty reason",               "/v1/kill",    R"({"agent":"helpdesk","why":""})",         "value_out_of_range"},
      {"a reason with a control byte",  "/v1/kill",    R"({"agent":"helpdesk","why":"a\u001b"})",  "value_out_of_range"},
      {"an unknown field",              "/v1/kill",    R"({"agent":"helpdesk","force":true})",     "unknown_field"},
      {"a release without a reason",    "/v1/release", R"({"agent":"billing"})",                   "missing_field"},
      {"a release of who runs",         "/v1/release", R"({"agent":"helpdesk","why":"x"})",        "conflict"},
      {"a release of all where one is", "/v1/release", R"({"all":true,"why":"x"})",                "conflict"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Stopping f;
    f.broker.Stop("billing");
    CHECK(f.Ask(kOperator, "POST", row.path, row.body).reason() == row.want);
    CHECK_FALSE(f.Stopped("helpdesk"));
    CHECK(f.Stopped("billing"));
    REQUIRE(f.ledger.entries.size() == 1);
    CHECK(f.ledger.entries[0].type == EntryType::kAdminDenied);
  }
}

TEST_CASE("No release helps while a file says that all are stopped") {
  Stopping f;
  f.broker.Stop("");
  f.broker.kills().HoldByFile(true);
  const auto refused = f.Ask(kOperator, "POST", "/v1/release", R"({"all":true,"why":"x"})");
  CHECK(refused.reason() == "conflict");
  f.broker.kills().HoldByFile(false);
  CHECK(f.Stopped("helpdesk"));
  CHECK(f.Ask(kOperator, "POST", "/v1/release", R"({"all":true,"why":"x"})").status == 200);
}

TEST_CASE("With two_person_release nobody releases alone") {
  Stopping f;
  auto config = *f.broker.config();
  config.admin.two_person_release = true;
  f.broker.SetConfig(std::make_shared<const broker::policy::Config>(std::move(config)));
  f.broker.Stop("helpdesk");
  const char* const release = R"({"agent":"helpdesk","why":"fine"})";
  const auto proposed = f.Ask(kOperator, "POST", "/v1/release", release);
  CHECK(proposed.body["proposed"] == true);
  CHECK(f.ledger.entries.back().type == EntryType::kAdminAction);
  CHECK(f.ledger.entries.back().outcome == Outcome::kPending);
  CHECK(f.Ask(kOperator, "POST", "/v1/release", release).reason() == "conflict");
  CHECK(f.Stopped("helpdesk"));
  auto colleague = kOperator;
  colleague.caller.facts.uid = 6;
  SUBCASE("another operator confirms it, and the entry names both") {
    CHECK(f.Ask(colleague, "POST", "/v1/release", release).status == 200);
    CHECK_FALSE(f.Stopped("helpdesk"));
    const auto& entry = f.ledger.entries.back();
    CHECK(entry.type == EntryType::kKillReleased);
    CHECK(entry.caller->uid == 6);
    CHECK(std::get<int64_t>(entry.change.at("proposed_by")) == 5);
  }
  SUBCASE("the same person by sudo is the same person") {
    colleague.caller.facts.uid = 0;
    colleague.caller.facts.loginuid = 5;
    CHECK(f.Ask(colleague, "POST", "/v1/release", release).reason() == "conflict");
    CHECK(f.Stopped("helpdesk"));
  }
  SUBCASE("a stop since then makes it void") {
    f.broker.Stop("helpdesk");
    CHECK(f.Ask(colleague, "POST", "/v1/release", release).body["proposed"] == true);
    CHECK(f.Stopped("helpdesk"));
  }
  SUBCASE("killing needs one") {
    CHECK(f.Ask(colleague, "POST", "/v1/kill", R"({"all":true})").status == 200);
    CHECK(f.Stopped("billing"));
  }
}
