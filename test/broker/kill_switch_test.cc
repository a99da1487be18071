// Who is stopped, and what a stop does to requests at every point of their way (promise 8).
#include "broker/kill_switch.h"

#include <doctest/doctest.h>

#include <vector>

#include "test/broker/broker_fixture.h"

using namespace broker_test;
using broker::KillSwitch, broker::Reason, broker::Stops;
using broker::ledger::EntryType;

TEST_CASE("A stop holds until the same is released") {
  using Step = void (*)(KillSwitch&);
  struct Row {
    const char* why;
    std::vector<Step> steps;
    bool helpdesk;
    bool billing;
  };
  const Step stop_one = [](KillSwitch& k) { k.Engage("helpdesk"); };
  const Step stop_all = [](KillSwitch& k) { k.Engage(""); };
  const Step release_one = [](KillSwitch& k) { k.Release("helpdesk", k.engagements()); };
  const Step release_all = [](KillSwitch& k) { k.Release("", k.engagements()); };
  const Step file = [](KillSwitch& k) { k.HoldByFile(true); };
  const Step file_gone = [](KillSwitch& k) { k.HoldByFile(false); };
  const Step ledger_one = [](KillSwitch& k) { k.Adopt({.agents = {"helpdesk"}}); };
  const Step ledger_all = [](KillSwitch& k) { k.Adopt({.all = true}); };
  const Step ledger_none = [](KillSwitch& k) { k.Adopt({}); };
  const Row rows[] = {
      {"nobody was stopped", {}, false, false},
      {"one was", {stop_one}, true, false},
      {"one was, twice", {stop_one, stop_one, release_one}, false, false},
      {"all were", {stop_all}, true, true},
      {"all were, and one is released", {stop_all, release_one}, true, true},
      {"one was, then all, and all are released", {stop_one, stop_all, release_all}, true, false},
      {"one was, and all are released", {stop_one, release_all}, true, false},
      {"another was released", {stop_all, release_one, release_all}, false, false},
      {"the ledger says one", {ledger_one}, true, false},
      {"the ledger says all", {ledger_all}, true, true},
      {"the ledger knows of none, the operator was faster", {stop_one, ledger_none}, true, false},
      {"what the ledger says is released", {ledger_all, release_all}, false, false},
      {"a file says all", {file}, true, true},
      {"a file says all, and all are released", {file, release_all}, true, true},
      {"the file is gone", {file, file_gone}, false, false},
      {"the file is gone, the stop stands", {file, stop_all, file_gone}, true, true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    KillSwitch kills;
    for (const Step step : row.steps) step(kills);
    CHECK(kills.IsStopped("helpdesk") == row.helpdesk);
    CHECK(kills.IsStopped("billing") == row.billing);
  }
}

TEST_CASE("A stop that comes while a release is recorded stands") {
  for (const char* meanwhile : {"helpdesk", "billing", ""}) {
    CAPTURE(meanwhile);
    KillSwitch kills;
    kills.Engage("helpdesk");
    const uint64_t seen = kills.engagements();
    kills.Engage(meanwhile);
    kills.Release("helpdesk", seen);
    CHECK(kills.IsStopped("helpdesk"));
  }
}

TEST_CASE("A stopped agent is refused before anything else is looked at, kept token or not") {
  for (const char* stopped : {"helpdesk", ""}) {
    CAPTURE(stopped);
    Fixture f;
    f.cache.cached = f.Token();
    f.broker.Stop(stopped);
    for (const char* scope : {"Mail.Read", "Mail.Send"}) {
      const auto refused = f.Ask(Fixture::Asking({scope}), "r");
      REQUIRE_FALSE(refused.has_value());
      CHECK(refused.error().refusal.reason == Reason::kKilled);
      CHECK(refused.error().receipt.has_value());
    }
    auto dry = Fixture::Asking({"Mail.Read"});
    dry.dry_run = true;
    CHECK_FALSE(f.Ask(dry, "r").has_value());
    REQUIRE(f.ledger.entries.size() == 3);
    CHECK(f.ledger.entries[0].type == EntryType::kTokenDenied);
    CHECK(f.ledger.entries[0].reason == "killed");
  }
}

TEST_CASE("A stop wipes what was kept for the agent's rules, and no other agent is stopped") {
  Fixture f;
  f.cache.cached = f.Token();
  f.broker.Stop("billing");
  CHECK(f.cache.evicted.empty());
  CHECK(f.Ask(Fixture::Asking({"Mail.Read"}), "r").has_value());
  f.broker.Stop("helpdesk");
  CHECK(f.cache.evicted == std::vector<std::string>{"aid-mail"});
  f.broker.kills().Release("helpdesk", f.broker.kills().engagements());
  CHECK(f.Ask(Fixture::Asking({"Mail.Read"}), "r").has_value());
}

namespace {

/// Jobs stand in a row until the test runs them.
struct Waiting : FakeMintPorts {
  /// Mints `next`, and on the way does what the test says.
  struct Cache final : broker::TokenCache {
    broker::SharedToken Find(const broker::TokenKey&, std::chrono::seconds) override {
      return nullptr;
    }
    broker::MintResult GetOrMint(const broker::TokenKey&, std::chrono::seconds,
                                 const broker::MintFunction&) override {
      ++mints;
      if (meanwhile) meanwhile();
      return next;
    }
    void Evict(const std::string&) override {}
    void Drop(const broker::TokenKey&) override {}
    void Doubt(const broker::TokenKey&) override {}

    broker::SharedToken next = Fixture().Token();
    std::function<void()> meanwhile;
    int mints = 0;
  };

  Cache cache;
  broker::Minter minter{ports()};
  std::vector<broker::Broker::Job> jobs;
  broker::Broker broker{{cache, minter, ledger, clock, [] { return true; },
                         [this](broker::Broker::Job job) {
                           jobs.push_back(std::move(job));
                           return true;
                         }},
                        std::make_shared<const broker::policy::Config>(OneAgent())};
  broker::Caller caller{"helpdesk", {.uid = 1000, .gid = 1000}, {}};
  std::vector<Reason> refused;
  int issued = 0;

  void Ask() {
    broker.IssueToken(caller, Fixture::Asking({"Mail.Read"}), "r", [this](const auto& result) {
      if (result) {
        ++issued;
      } else {
        refused.push_back(result.error().refusal.reason);
      }
    });
  }
  void RunJobs() {
    for (auto& job : jobs) job();
    jobs.clear();
  }
};

}  // namespace

TEST_CASE("Who waits for a mint is refused at the moment of the stop, once, with one entry") {
  Waiting f;
  f.Ask();
  f.Ask();
  REQUIRE(f.jobs.size() == 2);
  CHECK(f.refused.empty());
  f.broker.Stop("");
  CHECK(f.refused == std::vector<Reason>{Reason::kKilled, Reason::kKilled});
  f.RunJobs();
  CHECK(f.refused.size() == 2);
  CHECK(f.issued == 0);
  CHECK(f.cache.mints == 0);
  REQUIRE(f.ledger.entries.size() == 2);
  for (const auto& entry : f.ledger.entries) CHECK(entry.type == EntryType::kTokenDenied);
}

TEST_CASE("A stop while Entra is asked: what was minted is released to nobody") {
  Waiting f;
  f.cache.meanwhile = [&f] { f.broker.Stop("helpdesk"); };
  f.Ask();
  f.RunJobs();
  CHECK(f.cache.mints == 1);
  CHECK(f.refused == std::vector<Reason>{Reason::kKilled});
  CHECK(f.issued == 0);
  REQUIRE(f.ledger.entries.size() == 1);
  for (const auto& entry : f.ledger.entries) CHECK(entry.type != EntryType::kTokenIssued);
}

TEST_CASE("Another agent's stop ends nobody's waiting, and who was served is not refused later") {
  Waiting f;
  f.Ask();
  f.broker.Stop("billing");
  CHECK(f.refused.empty());
  f.RunJobs();
  CHECK(f.issued == 1);
  f.broker.Stop("helpdesk");
  CHECK(f.refused.empty());
}
