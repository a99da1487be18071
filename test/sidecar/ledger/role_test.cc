#include "sidecar/ledger/role.h"

#include <doctest/doctest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <set>

#include "test/sidecar/ledger/running_role.h"

using broker::ErrorCode, broker::ledger::Entry, broker::ledger::EntryType, broker::ledger::LeafHash,
    broker::ledger::LeafHex, broker::ledger::Outcome;
using sidecar::ipc::MessageType;

namespace {

Entry Plain(EntryType type) { return {.type = type, .outcome = Outcome::kSuccess, .agent = "a"}; }

nlohmann::json AskPage(const sidecar::ipc::Fd& reader, uint64_t after, uint32_t limit) {
  std::string out;
  Encode(sidecar::ipc::ReadAudit{after, limit}, &out);
  REQUIRE(sidecar::ipc::Send(reader.get(), out));
  sidecar::ipc::Message answer;
  REQUIRE(sidecar::ipc::Receive(reader.get(), &answer));
  const auto page = sidecar::ipc::DecodeAuditPage(answer.bytes);
  REQUIRE(page);
  return nlohmann::json::parse(page->body);
}

}  // namespace

TEST_CASE("an append is answered with its place, and its line is in the file") {
  const TemporaryFolder folder;
  RunningRole ledger(folder.path());
  REQUIRE(ledger.started);
  const auto first = ledger.broker.Append(Issued("helpdesk"));
  const auto second = ledger.broker.Append(Issued("helpdesk"));
  REQUIRE(first);
  REQUIRE(second);
  CHECK(first->seq == 1);
  CHECK(second->seq == 2);
  const auto lines = LinesIn(folder.path());
  REQUIRE(lines.size() == 2);
  CHECK(LeafHash(lines[0]) == first->leaf);
  CHECK(LeafHash(lines[1]) == second->leaf);
  CHECK(Scanned(lines[1]).prev == LeafHex(first->leaf));
}

TEST_CASE("many threads share a channel and each gets its own answer") {
  constexpr int kThreads = 16;
  constexpr int kAppends = 50;
  const TemporaryFolder folder;
  RunningRole ledger(folder.path());
  std::mutex mutex;
  std::set<uint64_t> seqs;
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kAppends; ++i) {
          const std::string mark = std::to_string(t) + "-" + std::to_string(i);
          Entry entry = Issued("helpdesk");
          entry.request_id = mark;
          const auto receipt = ledger.broker.Append(entry);
          if (!receipt) {
            ++wrong;
            continue;
          }
          const std::scoped_lock lock(mutex);
          seqs.insert(receipt->seq);
        }
      });
    }
  }
  CHECK(wrong == 0);
  CHECK(seqs.size() == kThreads * kAppends);
  CHECK(*seqs.rbegin() == kThreads * kAppends);
  CHECK(LinesIn(folder.path()).size() == kThreads * kAppends);
}

TEST_CASE("a role writes its own kinds of entry and no others") {
  const TemporaryFolder folder;
  RunningRole ledger(folder.path());
  struct Row {
    sidecar::ipc::LedgerClient& from;
    EntryType type;
    bool may;
  };
  const Row rows[] = {
      {ledger.broker, EntryType::kTokenIssued, true},
      {ledger.broker, EntryType::kKillEngaged, true},
      {ledger.broker, EntryType::kDaemonStarted, false},
      {ledger.broker, EntryType::kDaemonStopped, false},
      {ledger.broker, EntryType::kRoleRestarted, false},
      {ledger.broker, EntryType::kConnectionRefused, false},
      {ledger.broker, EntryType::kConnectionOpened, false},
      {ledger.broker, EntryType::kLedgerRecovered, false},
      {ledger.supervisor, EntryType::kDaemonStarted, true},
      {ledger.supervisor, EntryType::kDaemonStopped, true},
      {ledger.supervisor, EntryType::kRoleRestarted, true},
      {ledger.supervisor, EntryType::kConnectionRefused, true},
      {ledger.supervisor, EntryType::kPolicyChanged, true},
      {ledger.supervisor, EntryType::kKillEngaged, true},
      {ledger.supervisor, EntryType::kTokenIssued, false},
      {ledger.supervisor, EntryType::kTokenDenied, false},
      {ledger.supervisor, EntryType::kKillReleased, false},
      {ledger.supervisor, EntryType::kLedgerRecovered, false},
      {ledger.dialer, EntryType::kConnectionOpened, true},
      {ledger.dialer, EntryType::kTokenIssued, false},
      {ledger.dialer, EntryType::kConnectionRefused, false},
      {ledger.dialer, EntryType::kDaemonStopped, false},
  };
  for (const Row& row : rows) {
    CAPTURE(static_cast<int>(row.type));
    Entry entry = Plain(row.type);
    entry.agent = "agent-" + std::to_string(static_cast<int>(row.type));
    const auto receipt = row.from.Append(entry);
    CHECK(receipt.has_value() == row.may);
    if (!receipt) CHECK(receipt.error().code == ErrorCode::kDenied);
  }
}

TEST_CASE("after a kill entry nothing is released to that agent, whatever the broker asks") {
  const TemporaryFolder folder;
  {
    RunningRole ledger(folder.path());
    REQUIRE(ledger.broker.Append(Issued("helpdesk")));
    REQUIRE(ledger.broker.Append(Kill("helpdesk")));
    const auto refused = ledger.broker.Append(Issued("helpdesk"));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::kDenied);
    CHECK(ledger.broker.Append(Issued("mailbot")));
    CHECK(ledger.broker.Append(Denied("helpdesk", "killed")));
  }
  SUBCASE("nor after a restart") {
    RunningRole ledger(folder.path());
    const auto state = ledger.broker.Query();
    REQUIRE(state);
    CHECK(state->killed == std::vector<std::string>{"helpdesk"});
    CHECK(ledger.broker.Append(Issued("helpdesk")).error().code == ErrorCode::kDenied);
  }
  SUBCASE("nor after a restart that lost the head file") {
    std::filesystem::remove(folder.path() + "/head");
    RunningRole ledger(folder.path());
    CHECK(ledger.broker.Append(Issued("helpdesk")).error().code == ErrorCode::kDenied);
    CHECK(ledger.broker.Append(Issued("mailbot")));
  }
  SUBCASE("until it is released") {
    RunningRole ledger(folder.path());
    Entry release = Kill("helpdesk");
    release.type = EntryType::kKillReleased;
    REQUIRE(ledger.broker.Append(release));
    CHECK(ledger.broker.Append(Issued("helpdesk")));
  }
}

TEST_CASE("an entry that would break its line is refused and the next one is written") {
  const TemporaryFolder folder;
  RunningRole ledger(folder.path());
  Entry entry = Issued("helpdesk");
  SUBCASE("newline") { entry.claimed.task = "one\ntwo"; }
  SUBCASE("control character") { entry.claimed.task = "\x1b[2J"; }
  SUBCASE("C1 control character") { entry.claimed.task = "\xc2\x9b"; }
  SUBCASE("invalid UTF-8") { entry.claimed.task = "\xff\xfe"; }
  SUBCASE("overlong UTF-8") { entry.claimed.task = "\xc0\xaf"; }
  SUBCASE("surrogate") { entry.claimed.task = "\xed\xa0\x80"; }
  SUBCASE("number beyond 2^53") { entry.token_exp = int64_t{1} << 53; }
  SUBCASE("key with a quote") { entry.change["a\":1,\"b"] = int64_t{1}; }
  SUBCASE("agent with a quote") { entry.agent = "x\""; }
  SUBCASE("over 16 KiB") { entry.scopes.assign(100, std::string(200, 's')); }
  SUBCASE("over a frame") { entry.scopes.assign(1000, std::string(200, 's')); }
  const auto refused = ledger.broker.Append(entry);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::kInvalidRequest);
  const auto next = ledger.broker.Append(Issued("helpdesk"));
  REQUIRE(next);
  CHECK(next->seq == 1);
}

TEST_CASE("a new channel replaces the old one, and what was in flight fails") {
  const TemporaryFolder folder;
  auto ledger = std::make_unique<RunningRole>(folder.path());
  auto [near, far] = *sidecar::ipc::MakePair();
  sidecar::ipc::LedgerClient client;
  CHECK(client.Append(Issued("a")).error().code == ErrorCode::kUnavailable);
  client.Reset(std::move(near));  // nobody answers at the other end
  std::jthread waiting(
      [&client] { CHECK(client.Append(Issued("a")).error().code == ErrorCode::kUnavailable); });
  sidecar::ipc::Message seen;
  REQUIRE(sidecar::ipc::Receive(far.get(), &seen));  // the append is in flight
  auto [new_near, new_far] = *sidecar::ipc::MakePair();
  ledger->Send(MessageType::kBrokerChannel, {}, {new_far.get()});
  client.Reset(std::move(new_near));
  waiting.join();
  CHECK(client.Append(Issued("a")));
}

TEST_CASE("an answer that does not come is an error, not a wait for ever") {
  auto [near, far] = *sidecar::ipc::MakePair();
  sidecar::ipc::LedgerClient client(std::chrono::milliseconds(20));
  client.Reset(std::move(near));
  std::vector<std::jthread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back(
        [&client] { CHECK(client.Append(Issued("a")).error().code == ErrorCode::kUnavailable); });
  }
}

TEST_CASE("an agent reads its own trail and nothing of others") {
  const TemporaryFolder folder;
  RunningRole ledger(folder.path());
  const auto reader = ledger.Reader("helpdesk");
  REQUIRE(ledger.broker.Append(Issued("helpdesk")));
  REQUIRE(ledger.broker.Append(Issued("mailbot")));
  REQUIRE(ledger.broker.Append(Issued("helpdesk-2")));
  REQUIRE(ledger.broker.Append(Kill("helpdesk")));
  const auto last = ledger.broker.Append(Denied("helpdesk", "killed"));
  REQUIRE(last);
  REQUIRE(ledger.broker.Query());  // behind the last commit, so that it is published
  const auto page = AskPage(reader, 0, 0);
  REQUIRE(page["entries"].size() == 3);
  CHECK(page["next"] == 5);
  CHECK(page["entries"][0]["seq"] == 1);
  CHECK(page["entries"][0]["caller"]["uid"] == 1001);
  CHECK(page["entries"][0]["scopes"][0] == "Mail.Read");
  CHECK(page["entries"][1]["type"] == "kill.engaged");
  CHECK_FALSE(page["entries"][1].contains("caller"));
  CHECK(page["entries"][2]["reason"] == "killed");
  CHECK(page["entries"][2]["leaf"] == LeafHex(last->leaf));
  for (const auto& entry : page["entries"]) {
    for (const char* withheld : {"user", "claimed", "nonce", "prev", "change"}) {
      CHECK_FALSE(entry.contains(withheld));
    }
  }
  CHECK(AskPage(reader, 1, 1)["entries"][0]["seq"] == 4);
  CHECK(AskPage(reader, 5, 0) == nlohmann::json{{"entries", nlohmann::json::array()}, {"next", 5}});
}

TEST_CASE("pages of a long ledger of several segments miss nothing") {
  const TemporaryFolder folder;
  RunningRole ledger(folder.path());
  const auto reader = ledger.Reader("helpdesk");
  std::vector<uint64_t> own;
  for (int i = 0; i < 700; ++i) {
    const bool mine = i % 7 == 3;
    const auto receipt = ledger.broker.Append(Issued(mine ? "helpdesk" : "other"));
    REQUIRE(receipt);
    if (mine) own.push_back(receipt->seq);
    if (i % 300 == 299) ledger.clock.Advance(std::chrono::hours(24));
  }
  CHECK(SegmentsIn(folder.path()).size() == 3);
  REQUIRE(ledger.broker.Query());
  std::vector<uint64_t> read;
  uint64_t after = 0;
  while (true) {
    const auto page = AskPage(reader, after, 9);
    for (const auto& entry : page["entries"]) read.push_back(entry["seq"]);
    if (page["next"] == after) break;
    after = page["next"];
  }
  CHECK(read == own);
}

TEST_CASE("a malformed message costs a channel, not the ledger") {
  const TemporaryFolder folder;
  RunningRole ledger(folder.path());
  auto [near, far] = *sidecar::ipc::MakePair();
  ledger.Send(MessageType::kDialerChannel, {}, {far.get()});
  far.Reset();
  REQUIRE(sidecar::ipc::Send(near.get(), "\x50nonsense"));
  sidecar::ipc::Message message;
  CHECK_FALSE(sidecar::ipc::Receive(near.get(), &message));  // end of file
  CHECK(ledger.broker.Append(Issued("a")));
}

TEST_CASE("the role says that it started, that it lives and that it stopped, and logs the head") {
  const TemporaryFolder folder;
  RunningRole ledger(folder.path());
  CHECK(ledger.NextFromRole().type == MessageType::kStarted);
  ledger.Send(MessageType::kPing, {}, {});
  CHECK(ledger.NextFromRole().type == MessageType::kWatchdog);
  const auto receipt = ledger.supervisor.Append(Stopped());
  REQUIRE(receipt);
  ledger.Send(MessageType::kStop, {}, {});
  CHECK(ledger.NextFromRole().type == MessageType::kStopped);
  ledger.Stop();
  CHECK(ledger.exit_code == 0);
  CHECK(ledger.log.Text().find("event=ledger_head instance=test-log seq=1 leaf=" +
                               LeafHex(receipt->leaf)) != std::string::npos);
}

TEST_CASE("the broker reads what it released and is alive, of all agents, and only that") {
  const TemporaryFolder folder;
  RunningRole ledger(folder.path());
  const int64_t now =
      std::chrono::duration_cast<std::chrono::seconds>(ledger.clock.WallNow().time_since_epoch())
          .count();
  const auto issue = [&](const std::string& agent, int64_t exp) {
    Entry entry = Issued(agent);
    entry.token_exp = exp;
    REQUIRE(ledger.broker.Append(entry));
  };
  issue("helpdesk", now + 60);
  issue("helpdesk", now);
  issue("billing", now + 600);
  REQUIRE(ledger.broker.Append(Plain(EntryType::kKillEngaged)));
  const auto reader = ledger.broker.OpenReader();
  REQUIRE(reader);
  const auto page = AskPage(*reader, 0, 0);
  CHECK(page["next"] == 4);
  CHECK_FALSE(page.contains("archived"));
  REQUIRE(page["entries"].size() == 2);
  CHECK(page["entries"][0]["seq"] == 1);
  CHECK(page["entries"][1]["agent"]["name"] == "billing");
  CHECK(page["entries"][1]["token"]["exp"] == now + 600);
  CHECK_FALSE(page["entries"][1].contains("claimed"));
  CHECK_FALSE(page["entries"][1].contains("caller"));
  CHECK(AskPage(*reader, 1, 0)["entries"].size() == 1);
  CHECK(AskPage(*reader, 4, 0)["next"] == 4);
  SUBCASE("segments of days before any such token are passed over") {
    ledger.clock.Advance(std::chrono::hours(72));
    REQUIRE(ledger.broker.Append(Plain(EntryType::kKillReleased)));
    const auto later = AskPage(*reader, 0, 0);
    CHECK(later["entries"].empty());
    CHECK(later["next"] == 5);
  }
  SUBCASE("a window does not get it by asking for nobody") {
    const auto window = ledger.Reader("");
    sidecar::ipc::Message answer;
    CHECK_FALSE(sidecar::ipc::Receive(window.get(), &answer));
    CHECK(AskPage(*reader, 0, 0)["entries"].size() == 2);
  }
  SUBCASE("supervisor and dialer do not get it") {
    for (auto* other : {&ledger.supervisor, &ledger.dialer}) {
      const auto refused = other->OpenReader();
      REQUIRE(refused);  // the other end is closed with their channel
      sidecar::ipc::Message answer;
      CHECK_FALSE(sidecar::ipc::Receive(refused->get(), &answer));
    }
  }
}
