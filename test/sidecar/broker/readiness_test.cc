#include "sidecar/broker/readiness.h"

#include <doctest/doctest.h>

#include <atomic>
#include <latch>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "sidecar/broker/agent_service.h"
#include "sidecar/ipc/messages.h"
#include "test/broker/mint_bench.h"
#include "test/fakes/fake_token_cache.h"
#include "test/sidecar/broker/running_connections.h"

using namespace sidecar;
using namespace sidecar::broker_role;

namespace {

/// A ledger that answers no question until it is let go, and its readers.
struct StalledLook {
  std::atomic<int> looks = 0;
  std::latch let_go{1};
  Workers workers{8};
  SharedReadiness readiness{[this] {
                              ++looks;
                              let_go.wait();
                              return Readiness{{"ledger: latched"}, {}};
                            },
                            [this](Workers::Job job) { return workers.Start(std::move(job)); }};
};

std::string Plain(ipc::MessageType type) {
  std::string bytes;
  ipc::Encode(ipc::PlainRequest{type, "req-1"}, &bytes);
  return bytes;
}

}  // namespace

TEST_CASE("All who ask while the ledger stalls share one question and its answer") {
  constexpr int kAsking = 1000;
  StalledLook stalled;
  std::latch answered(kAsking);
  std::atomic<int> right = 0;
  for (int i = 0; i < kAsking; ++i) {
    REQUIRE(stalled.readiness.Ask([&](const Readiness& now) {
      if (now.missing == std::vector<std::string>{"ledger: latched"}) ++right;
      answered.count_down();
    }));
  }
  stalled.let_go.count_down();
  answered.wait();
  CHECK(right == kAsking);
  CHECK(stalled.looks == 1);
}

TEST_CASE("Who asks after an answer gets a look of its own") {
  StalledLook stalled;
  stalled.let_go.count_down();
  for (int asked = 1; asked <= 3; ++asked) {
    std::latch answered(1);
    REQUIRE(stalled.readiness.Ask([&](const Readiness&) { answered.count_down(); }));
    answered.wait();
    CHECK(stalled.looks == asked);
  }
}

TEST_CASE("Without a thread, and after a look that failed, asking works again") {
  bool threads = false;
  std::vector<Workers::Job> jobs;
  bool fails = true;
  SharedReadiness readiness(
      [&] {
        if (fails) throw std::runtime_error("no memory");
        return Readiness{};
      },
      [&](Workers::Job job) {
        if (threads) jobs.push_back(std::move(job));
        return threads;
      });
  int answers = 0;
  const auto count = [&](const Readiness&) { ++answers; };
  CHECK_FALSE(readiness.Ask(count));
  threads = true;
  REQUIRE(readiness.Ask(count));
  CHECK_THROWS(jobs.at(0)());
  CHECK(answers == 0);
  fails = false;
  REQUIRE(readiness.Ask(count));
  jobs.at(1)();
  CHECK(answers == 1);
}

TEST_CASE("whoami says whether the agent is stopped, as the ledger has it") {
  MintBench bench;
  FakeTokenCache cache;
  broker::Minter minter{bench.ports()};
  broker::Broker broker{{cache, minter, bench.ledger, bench.clock, [] { return true; }},
                        std::make_shared<const broker::policy::Config>(bench.config)};
  // clang-format off
  struct Row { const char* why; std::optional<ipc::LedgerState> ledger; nlohmann::json killed; };
  const Row rows[] = {
      {"nobody is stopped",             ipc::LedgerState{},                        false},
      {"another agent is",              ipc::LedgerState{.killed = {"billing"}},   false},
      {"this agent is, by name",        ipc::LedgerState{.killed = {"a", "helpdesk"}}, true},
      {"all are",                       ipc::LedgerState{.all_killed = true},      true},
      {"a latched ledger still knows",  ipc::LedgerState{.latched = true, .killed = {"helpdesk"}}, true},
      {"the ledger could not be asked", std::nullopt,                              nullptr},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(std::string(row.why));
    Workers workers{2};
    SharedReadiness readiness{[&row] { return Readiness{{}, {}, row.ledger}; },
                              [&](Workers::Job job) { return workers.Start(std::move(job)); }};
    broker::Approvals approvals{{bench.vault.store, bench.ledger, bench.clock, bench.random, {}}};
    AgentService agents{broker, bench.clock, readiness, approvals};
    RunningConnections running(
        [&](std::string_view request, const Connections::Answerer& answerer) {
          agents.Handle(request, answerer);
        });
    const ipc::Fd helpdesk = running.Add("helpdesk");
    const auto bytes = AskOver(helpdesk, Plain(ipc::MessageType::kWhoami));
    const auto answer = ipc::DecodeAnswer(bytes);
    REQUIRE(answer.has_value());
    CHECK(answer->status == 200);
    const auto who = nlohmann::json::parse(answer->body);
    CHECK(who["agent"] == "helpdesk");
    CHECK(who.contains("killed") == row.ledger.has_value());
    CHECK(who.value("killed", nlohmann::json()) == row.killed);
  }
}

TEST_CASE("/readyz that waits for the ledger delays no other agent's token request") {
  MintBench bench;
  FakeTokenCache cache;
  broker::Minter minter{bench.ports()};
  broker::Broker broker{{cache, minter, bench.ledger, bench.clock, [] { return true; }},
                        std::make_shared<const broker::policy::Config>(bench.config)};
  StalledLook stalled;
  broker::Approvals approvals{{bench.vault.store, bench.ledger, bench.clock, bench.random, {}}};
  AgentService agents{broker, bench.clock, stalled.readiness, approvals};
  // No threads but the one that serves all: what it waits for, everybody waits for.
  RunningConnections running([&](std::string_view request, const Connections::Answerer& answerer) {
    REQUIRE_FALSE(NeedsToWait(request));
    agents.Handle(request, answerer);
  });
  std::vector<ipc::Fd> probes;
  for (int i = 0; i < 20; ++i) {
    probes.push_back(running.Add("curious"));
    REQUIRE(ipc::Send(probes.back().get(), Plain(ipc::MessageType::kReady)));
  }
  const ipc::Fd other = running.Add("helpdesk");
  std::string token_request;
  ipc::Encode(ipc::TokenRequestMessage{"req-2", {.scopes = {"Mail.Read"}}}, &token_request);
  const auto refused = AskOver(other, token_request);
  const auto answer = ipc::DecodeAnswer(refused);
  REQUIRE(answer.has_value());
  CHECK(answer->status == 403);
  CHECK(bench.ledger.entries.size() == 1);

  stalled.let_go.count_down();
  for (const ipc::Fd& probe : probes) {
    ipc::Message message;
    REQUIRE(ipc::Receive(probe.get(), &message));
    const auto ready = ipc::DecodeAnswer(message.bytes);
    REQUIRE(ready.has_value());
    CHECK(ready->status == 503);
    CHECK(nlohmann::json::parse(ready->body)["missing"].at(0) == "ledger: latched");
  }
  // Those whose question came after the answer may have had another look, never one each at once.
  CHECK(stalled.looks >= 1);
}
