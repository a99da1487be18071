#include <doctest/doctest.h>

#include <cerrno>
#include <map>

#include "test/sidecar/ledger/writer_fixture.h"

namespace {

// Refusals that a ledger speaks of: written one by one, and counted.
uint64_t RefusalsIn(const std::string& folder) {
  uint64_t sum = 0;
  for (const std::string& line : LinesIn(folder)) {
    const auto entry = nlohmann::json::parse(line);
    if (entry["type"] != "token.denied") continue;
    sum += entry.contains("change") ? entry["change"]["count"].get<uint64_t>() : 1;
  }
  return sum;
}

}  // namespace

TEST_CASE("100,000 equal refusals leave a few lines that say how many") {
  const TemporaryFolder folder;
  WriterOnDisk ledger(folder.path());
  ledger.writer.Start();
  for (int i = 0; i < 100'000; ++i) {
    ledger.writer.Add({0, 1}, sidecar::ledger::Origin::kBroker, Denied("helpdesk", "no_rule"));
    if (i % 1000 == 0) {
      for (const auto& answer : ledger.writer.Commit()) REQUIRE_FALSE(answer.error);
    }
  }
  ledger.writer.WriteCounts(/*all=*/true);
  ledger.writer.Commit();
  ledger.writer.SaveHead();
  CHECK(LinesIn(folder.path()).size() == sidecar::ledger::FloodGate::kPerWindow + 1);
  CHECK(RefusalsIn(folder.path()) == 100'000);
  CHECK(VerifyFolder(folder.path()) == 0);
}

TEST_CASE("100,000 refusals that all differ leave a bounded ledger that says how many") {
  const TemporaryFolder folder;
  WriterOnDisk ledger(folder.path());
  ledger.writer.Start();
  for (int i = 0; i < 100'000; ++i) {
    ledger.writer.Add({0, 1}, sidecar::ledger::Origin::kBroker,
                      Denied("agent-" + std::to_string(i), "no_rule"));
    if (ledger.writer.BatchIsFull()) ledger.writer.Commit();
  }
  ledger.writer.WriteCounts(/*all=*/true);
  ledger.writer.Commit();
  ledger.writer.SaveHead();
  CHECK(LinesIn(folder.path()).size() <=
        sidecar::ledger::FloodGate::kMaxKeys + 1 + sidecar::ledger::FloodGate::kPerWindow + 1);
  CHECK(RefusalsIn(folder.path()) == 100'000);
}

TEST_CASE("a count is written when its window ends, and says between when") {
  const TemporaryFolder folder;
  WriterOnDisk ledger(folder.path());
  ledger.writer.Start();
  for (int i = 0; i < 15; ++i) {
    REQUIRE(ledger.Accepts(Denied("helpdesk", "no_rule")));
    ledger.clock.Advance(std::chrono::seconds(1));
  }
  ledger.writer.WriteCounts(/*all=*/false);
  ledger.writer.Commit();
  CHECK(LinesIn(folder.path()).size() == 10);
  ledger.clock.Advance(sidecar::ledger::FloodGate::kWindow);
  CHECK(ledger.writer.NextCount() <= ledger.clock.Now());
  ledger.writer.WriteCounts(/*all=*/false);
  ledger.writer.Commit();
  const auto last = nlohmann::json::parse(LinesIn(folder.path()).back());
  CHECK(last["change"]["count"] == 5);
  CHECK(last["change"]["first"] == "2026-11-18T11:06:50.000000Z");
  CHECK(last["change"]["last"] == "2026-11-18T11:06:54.000000Z");
  CHECK(last["agent"]["name"] == "helpdesk");
  CHECK(last["reason"] == "no_rule");
  CHECK(last["caller"]["uid"] == 1001);
  CHECK(ledger.Append(Denied("helpdesk", "no_rule")).seq == 12);  // a new window
}

TEST_CASE("what is no equal refusal is written one by one") {
  const TemporaryFolder folder;
  WriterOnDisk ledger(folder.path());
  ledger.writer.Start();
  for (int i = 0; i < 20; ++i) {
    CHECK(ledger.Append(Issued("helpdesk")).seq != 0);
    CHECK(ledger.Append(Denied("helpdesk", "reason_" + std::to_string(i))).seq != 0);
    CHECK(ledger.Append(Denied("agent-" + std::to_string(i), "no_rule")).seq != 0);
    broker::ledger::Entry other_rule = Denied("helpdesk", "budget");
    other_rule.policy_rule = "rule-" + std::to_string(i);
    CHECK(ledger.Append(other_rule).seq != 0);
    broker::ledger::Entry other_user = Denied("helpdesk", "no_rule");
    other_user.caller->uid = 2000 + static_cast<uint32_t>(i);
    CHECK(ledger.Append(other_user).seq != 0);
    broker::ledger::Entry other_fault = Denied("helpdesk", "peer_refused");
    other_fault.type = broker::ledger::EntryType::kConnectionRefused;
    other_fault.change["fault"] = "selector " + std::to_string(i) + " differs";
    CHECK(ledger.Append(other_fault, sidecar::ledger::Origin::kSupervisor).seq != 0);
  }
}

TEST_CASE("what cannot be written takes no place and is not counted") {
  const TemporaryFolder folder;
  WriterOnDisk ledger(folder.path());
  ledger.writer.Start();
  broker::ledger::Entry unwritable = Denied("helpdesk", "no_rule");
  unwritable.claimed.task = "one\ntwo";
  for (int i = 0; i < 20; ++i) {
    const auto refused = ledger.Append(unwritable);
    REQUIRE(refused.error);
    CHECK(refused.error->code == broker::ErrorCode::kInvalidRequest);
  }
  for (int i = 0; i < 10; ++i) CHECK(ledger.Append(Denied("helpdesk", "no_rule")).seq != 0);
  CHECK(ledger.Append(unwritable).error);  // not when it would only be counted, either
  CHECK(ledger.Append(Denied("helpdesk", "no_rule")).seq == 0);
  ledger.writer.WriteCounts(/*all=*/true);
  ledger.writer.Commit();
  CHECK(RefusalsIn(folder.path()) == 11);
}

TEST_CASE("a count keeps what was asked for, as far as a bound") {
  const TemporaryFolder folder;
  WriterOnDisk ledger(folder.path());
  ledger.writer.Start();
  const auto ask = [&ledger](std::vector<std::string> scopes) {
    broker::ledger::Entry entry = Denied("helpdesk", "no_rule");
    entry.scopes = std::move(scopes);
    REQUIRE(ledger.Accepts(entry));
  };
  for (int i = 0; i < 10; ++i) ask({"User.Read"});
  ask({"Mail.Send", "Mail.Read"});
  ask({"Mail.Send"});
  const auto count = [&] {
    ledger.writer.WriteCounts(/*all=*/true);
    ledger.writer.Commit();
    return nlohmann::json::parse(LinesIn(folder.path()).back());
  };
  const auto few = count();
  CHECK(few["scopes"] == nlohmann::json{"Mail.Read", "Mail.Send"});
  CHECK_FALSE(few["change"].contains("more_scopes"));

  for (int i = 0; i < 10; ++i) ask({"User.Read"});
  for (int i = 0; i < 1000; ++i) ask({"Scope." + std::to_string(i)});
  const auto many = count();
  CHECK(many["scopes"].size() == sidecar::ledger::FloodGate::kMaxScopes);
  CHECK(many["change"]["more_scopes"] == 1);
  CHECK(many["change"]["count"] == 1000);

  for (int i = 0; i < 11; ++i) ask({"User.Read"});
  ask({std::string(1500, 'a')});
  ask({std::string(1500, 'b')});
  CHECK(count()["scopes"].size() == 2);
}

TEST_CASE("a count says which selector those differed in that it stands for") {
  const TemporaryFolder folder;
  WriterOnDisk ledger(folder.path());
  ledger.writer.Start();
  for (const char* fault : {"user differs", "systemd_unit differs"}) {
    broker::ledger::Entry refused = Denied("helpdesk", "peer_refused");
    refused.type = broker::ledger::EntryType::kConnectionRefused;
    refused.change["fault"] = fault;
    for (int i = 0; i < 13; ++i) {
      REQUIRE(ledger.Accepts(refused, sidecar::ledger::Origin::kSupervisor));
    }
  }
  ledger.disk.fails_with["sync"] = EIO;  // a count that is put back keeps it
  ledger.writer.WriteCounts(/*all=*/true);
  ledger.writer.Commit();
  ledger.disk.fails_with.clear();
  ledger.writer.Resume();
  ledger.writer.WriteCounts(/*all=*/true);
  ledger.writer.Commit();
  std::map<std::string, int> counts;
  for (const std::string& line : LinesIn(folder.path())) {
    const auto change = nlohmann::json::parse(line).value("change", nlohmann::json::object());
    if (change.contains("count")) counts[change["fault"]] += change["count"].get<int>();
  }
  CHECK(counts == std::map<std::string, int>{{"user differs", 3}, {"systemd_unit differs", 3}});
}

TEST_CASE("a count that somebody else made is added, not counted as one") {
  const TemporaryFolder folder;
  WriterOnDisk ledger(folder.path());
  ledger.writer.Start();
  broker::ledger::Entry overload = Denied("helpdesk", "overloaded");
  overload.change["count"] = int64_t{500};
  for (int i = 0; i < 12; ++i) REQUIRE(ledger.Accepts(overload));
  ledger.writer.WriteCounts(/*all=*/true);
  ledger.writer.Commit();
  CHECK(RefusalsIn(folder.path()) == 12 * 500);
}

TEST_CASE("a count outlives a latch") {
  const TemporaryFolder folder;
  WriterOnDisk ledger(folder.path());
  ledger.writer.Start();
  for (int i = 0; i < 30; ++i) REQUIRE(ledger.Accepts(Denied("helpdesk", "no_rule")));
  ledger.disk.fails_with["sync"] = EIO;
  ledger.writer.WriteCounts(/*all=*/true);
  ledger.writer.Commit();
  REQUIRE_FALSE(ledger.writer.latch().empty());
  ledger.writer.WriteCounts(/*all=*/true);
  ledger.writer.Commit();
  ledger.disk.fails_with.clear();
  ledger.writer.Resume();
  ledger.writer.WriteCounts(/*all=*/true);
  ledger.writer.Commit();
  CHECK(RefusalsIn(folder.path()) == 30);
  const auto count = nlohmann::json::parse(LinesIn(folder.path()).back());
  CHECK(count["change"]["first"] == "2026-11-18T11:06:40.000000Z");
}
