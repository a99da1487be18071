// The end of an instance, cut short at each of its steps.
#include "sidecar/broker/teardown.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "broker/ledger/entry_names.h"
#include "test/fakes/fake_clock.h"
#include "test/fakes/fake_ledger.h"
#include "test/fakes/fake_store.h"
#include "test/sidecar/broker/admin_fixture.h"

using namespace admin_test;
using broker::Reason, broker::UpstreamStep;
using broker::ledger::Entry, broker::ledger::EntryType;
using nlohmann::json;
using sidecar::broker_role::Teardown;

namespace {

struct Killed {};  // the process, as by kill -9

broker::policy::Config Example() {
  broker::policy::Config config;
  config.instance.name = "test";
  config.seal = {"file", "/var/lib/purser-key/kek"};
  for (const char* name : {"app", "own"}) {
    config.credentials[name] = {.name = name, .kind = "client-secret", .client_id = name};
  }
  broker::policy::Rule rule;
  rule.credential = "app";
  config.agents["desk"].name = "desk";
  config.agents["desk"].rules.push_back(rule);
  config.admin.upstream = "own";
  return config;
}

/// What outlives a process, and where the next one dies.
struct World {
  broker::policy::Config config = Example();
  FakeLedger ledger;
  FakeStore store;
  FakeClock clock;
  std::vector<std::string> events;  // in the order in which they came about
  int dies_at = 0;                  // at the how manieth touch of the world; 0: never
  int touches = 0;
  bool entra_is_down = false;
  std::string purserd_refuses;  // a step
  bool begun = false;           // as purserd notes it
  json report;                  // what purserd was given to keep

  World() {
    store.on_put = [this](const auto&) { Touch(); };
    ledger.refuses = [this](const Entry& entry) {
      Touch();
      const auto step = entry.change.find("step");
      events.push_back("ledger " + (step == entry.change.end()
                                        ? std::string(broker::ledger::EntryTypeName(entry.type))
                                        : std::get<std::string>(step->second)));
      return false;
    };
  }
  void Touch() {
    if (++touches == dies_at) throw Killed();
  }
  void Note(std::string event) {
    Touch();
    events.push_back(std::move(event));
    Touch();  // it is done, and nobody heard of it
  }
  Teardown::Ports Ports() {
    return {.ledger = ledger,
            .store = store,
            .clock = clock,
            .stop = [this] { Note("stop"); },
            .upstream =
                [this](const std::vector<UpstreamStep>& steps) {
                  json results = json::array();
                  for (const UpstreamStep& step : steps) {
                    Note("entra " + std::string(broker::DeedText(step.deed)) + " " + step.target);
                    results.push_back({{"what", broker::DeedText(step.deed)},
                                       {"credential", step.credential},
                                       {"target", step.target},
                                       {"done", !entra_is_down},
                                       {"detail", ""}});
                  }
                  return results;
                },
            .destroy =
                [this](const broker::policy::Credential& credential) {
                  Note("destroy " + credential.name);
                  return json{{"destroyed", {"client secret"}}};
                },
            .supervisor = [this](const std::string& asked) -> broker::Result<std::string> {
              const json body = json::parse(asked);
              if (purserd_refuses == body["step"]) return R"({"error":"EROFS"})";
              if (body.contains("report")) report = body["report"];
              const bool again = begun;
              if (body["step"] == "begin") begun = true;
              Note("purserd " + body["step"].get<std::string>());
              if (body["step"] == "begin") return json{{"again", again}}.dump();
              return R"({"destroyed":[],"unreadable":[]})";
            },
            .forget_store =
                [this] {
                  Note("forget");
                  return std::string("sealed");
                },
            .alive = [] { return json{{"alive", json::array()}}; }};
  }
  Teardown::Outcome Run(bool even = false, bool skip = false) {
    Teardown teardown;
    return teardown.Run(config, {{.type = EntryType::kAdminAction}, "over", skip, even}, Ports());
  }
  // False: it was killed.
  bool Lives(int dies) {
    dies_at = dies;
    touches = 0;
    try {
      Run();
      return true;
    } catch (const Killed&) {
      return false;
    }
  }
  size_t First(const std::string& event) const {
    return static_cast<size_t>(std::ranges::find(events, event) - events.begin());
  }
  bool Has(const std::string& event) const { return First(event) < events.size(); }
  auto Count(const std::string& event) const { return std::ranges::count(events, event); }
};

}  // namespace

TEST_CASE("All of it happens in this order, each part with an entry before it") {
  World world;
  const auto told = world.Run();
  REQUIRE(told.has_value());
  CHECK((*told)["torn_down"] == true);
  CHECK(world.events ==
        std::vector<std::string>{
            "stop", "ledger stop", "purserd begin", "ledger kill.engaged",
            "entra remove the client secret of app", "entra disable the service principal of app",
            "entra remove the client secret of own", "ledger destroy", "destroy app", "destroy own",
            "purserd destroy", "forget", "ledger instance.torn_down", "purserd close"});
  CHECK(world.report["why"] == "over");
  CHECK(world.report["upstream"].size() == 3);
  CHECK(world.report["left"] == json{"own"});
}

TEST_CASE("Killed at any step, the next run finishes, and nothing is destroyed unannounced") {
  World whole;
  REQUIRE(whole.Lives(0));
  for (int dies = 1; dies <= whole.touches; ++dies) {
    CAPTURE(dies);
    World world;
    REQUIRE_FALSE(world.Lives(dies));
    CHECK(world.First("ledger destroy") <= world.First("destroy app"));
    CHECK(world.First("destroy own") <= world.First("purserd destroy"));
    CHECK(world.First("purserd destroy") <= world.First("ledger instance.torn_down"));
    if (world.Has("purserd destroy")) {  // its part from here on
      CHECK(world.report["upstream"].size() == 3);
      continue;
    }
    REQUIRE(world.Lives(0));
    CHECK(world.events.back() == "purserd close");
    CHECK(world.Count("ledger instance.torn_down") == 1);
  }
}

TEST_CASE("What Entra has done is not asked for again by the next run") {
  World world;
  world.purserd_refuses = "destroy";
  const auto refused = world.Run();
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().hint.find("EROFS") != std::string::npos);
  CHECK_FALSE(world.Has("ledger instance.torn_down"));
  world.purserd_refuses.clear();
  REQUIRE(world.Run().has_value());
  CHECK(world.Count("entra remove the client secret of app") == 1);
  CHECK(world.Count("entra remove the client secret of own") == 1);
  CHECK(world.report["upstream"][2]["done"] == true);
}

TEST_CASE("One that was given up is not gone on with: what it had removed may be there again") {
  World world;
  world.purserd_refuses = "destroy";
  REQUIRE_FALSE(world.Run().has_value());
  world.begun = false;  // by hand
  world.purserd_refuses.clear();
  REQUIRE(world.Run().has_value());
  CHECK(world.Count("entra remove the client secret of app") == 2);
  CHECK(world.Count("entra remove the client secret of own") == 2);
}

TEST_CASE("Where Entra fails nothing is destroyed, unless that was said") {
  World world;
  world.entra_is_down = true;
  SUBCASE("not said: all is stopped, and what purser acts with is kept for the next run") {
    const auto told = world.Run();
    REQUIRE(told.has_value());
    CHECK((*told)["torn_down"] == false);
    CHECK((*told)["stage"] == "upstream");
    CHECK(world.Has("stop"));
    CHECK_FALSE(world.Has("ledger destroy"));
    CHECK_FALSE(world.Has("entra remove the client secret of own"));
    CHECK((*told)["report"]["upstream"].size() == 3);
  }
  SUBCASE("said") {
    const auto told = world.Run(/*even=*/true);
    REQUIRE(told.has_value());
    CHECK((*told)["torn_down"] == true);
    CHECK((*told)["report"]["upstream"][0]["done"] == false);
  }
  SUBCASE("it was not to be asked") {
    const auto told = world.Run(/*even=*/false, /*skip=*/true);
    REQUIRE(told.has_value());
    CHECK((*told)["torn_down"] == true);
    CHECK((*told)["report"]["upstream_skipped"] == true);
    CHECK_FALSE(world.Has("entra remove the client secret of app"));
  }
}

TEST_CASE("Without its entry nothing is done but the stop") {
  World world;
  world.ledger.fail_with = ErrorCode::kUnavailable;
  const auto refused = world.Run();
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().reason == Reason::kLedgerUnavailable);
  CHECK(world.events == std::vector<std::string>{"stop"});
}

TEST_CASE("Where purserd cannot note that it begins, nothing ends at Entra, and nothing here") {
  World world;
  world.purserd_refuses = "begin";
  const auto refused = world.Run();
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().reason == Reason::kRestarting);
  CHECK(refused.error().hint.find("EROFS") != std::string::npos);
  CHECK(world.events == std::vector<std::string>{"stop", "ledger stop"});
}

TEST_CASE("Once it has begun nothing is released, and no other store is accepted") {
  // clang-format off
  struct Row { const char* what; const char* path; const char* body; };
  const Row rows[] = {
      {"all agents",       "/v1/release", R"({"all":true,"why":"a mistake"})"},
      {"one agent",        "/v1/release", R"({"agent":"helpdesk","why":"a mistake"})"},
      {"a credential",     "/v1/release", R"({"credential":"aid-mail","why":"a mistake"})"},
      {"a store put back", "/v1/restore", R"({"why":"from yesterday"})"},
  };
  // clang-format on
  for (const Row& row : rows) {
    for (const bool answers : {true, false}) {
      CAPTURE(row.what);
      CAPTURE(answers);
      Fixture f;
      REQUIRE(f.Ask(kOperator, "POST", "/v1/kill", R"({"all":true})").status == 200);
      f.torn_down = true;  // by whatever process, long ago
      f.purserd_answers = answers;
      const auto told = f.Ask(kOperator, "POST", row.path, row.body);
      CHECK(told.status >= 400);
      CHECK(told.reason() == (answers ? "conflict" : "restarting"));
      CHECK(f.broker.kills().stops().all);
      CHECK(f.done.empty());
    }
  }
}

TEST_CASE("The operator's socket tears down only what was named, for a reason, by who may") {
  // clang-format off
  struct Row { const char* why; const Peer& who; const char* body; const char* want; };
  const Row rows[] = {
      {"an auditor",             kAuditor,  R"({"why":"x","instance":"test"})",                   "role_missing"},
      {"a stranger",             kStranger, R"({"why":"x","instance":"test"})",                   "role_missing"},
      {"no reason",              kOperator, R"({"instance":"test"})",                             "missing_field"},
      {"an empty reason",        kOperator, R"({"why":"","instance":"test"})",                    "missing_field"},
      {"a reason in two lines",  kOperator, R"({"why":"a\nb","instance":"test"})",                "missing_field"},
      {"no name",                kOperator, R"({"why":"x"})",                                     "value_out_of_range"},
      {"another instance",       kOperator, R"({"why":"x","instance":"prod"})",                   "value_out_of_range"},
      {"a flag that is a text",  kOperator, R"({"why":"x","instance":"test","dry_run":"no"})",    "wrong_type"},
      {"something unknown",      kOperator, R"({"why":"x","instance":"test","force":true})",      "unknown_field"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Fixture f;
    const auto told = f.Ask(row.who, "POST", "/v1/teardown", row.body);
    CHECK(told.status >= 400);
    CHECK(told.reason() == row.want);
    CHECK_FALSE(f.broker.kills().stops().all);
  }
}

TEST_CASE("A dry run stops nobody, and with two_person_release nobody destroys alone") {
  Fixture f;
  const auto dry = f.Ask(kOperator, "POST", "/v1/teardown", R"({"dry_run":true})");
  CHECK(dry.body["dry_run"] == true);
  CHECK_FALSE(f.broker.kills().stops().all);
  CHECK(f.Ask(kAuditor, "GET", "/v1/teardown").body["state"] == "none");
  auto config = *f.broker.config();
  config.admin.two_person_release = true;
  f.broker.SetConfig(std::make_shared<const broker::policy::Config>(std::move(config)));
  const char* const order = R"({"why":"over","instance":"test"})";
  CHECK(f.Ask(kOperator, "POST", "/v1/teardown", order).body["proposed"] == true);
  CHECK(f.Ask(kOperator, "POST", "/v1/teardown", order).reason() == "conflict");
  CHECK_FALSE(f.broker.kills().stops().all);
  auto colleague = kOperator;
  colleague.caller.facts.uid = 8;
  const char* const other = R"({"why":"over","instance":"test","skip_upstream":true})";
  CHECK(f.Ask(colleague, "POST", "/v1/teardown", other).body["proposed"] == true);  // not the same
  CHECK_FALSE(f.broker.kills().stops().all);
  // Entra is not configured: with a yes of two all is stopped, and nothing destroyed.
  const auto done = f.Ask(colleague, "POST", "/v1/teardown", order);
  CHECK(done.body["torn_down"] == false);
  CHECK(f.broker.kills().stops().all);
  CHECK(f.Ask(kAuditor, "GET", "/v1/teardown").body["state"] == "begun");
  CHECK(f.Ask(colleague, "POST", "/v1/release", R"({"all":true,"why":"x"})").reason() ==
        "conflict");
}
