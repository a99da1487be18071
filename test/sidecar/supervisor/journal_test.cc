#include "sidecar/supervisor/journal.h"

#include <doctest/doctest.h>
#include <fcntl.h>

#include <algorithm>
#include <iterator>

#include "harness.h"
#include "sidecar/ipc/messages.h"

using namespace sidecar::supervisor;
using broker::ledger::Entry, broker::ledger::EntryType;
using sidecar::ipc::Fd;

namespace {

// The ledger's end of a journal's channel.
struct FakeLedgerEnd {
  Fd channel;
  std::vector<sidecar::ipc::Append> appended;

  void Read() {
    sidecar::ipc::Message message;
    while (sidecar::ipc::ReceiveShort(channel.get(), &message)) {
      auto more = sidecar::ipc::DecodeAppends(message.bytes);
      REQUIRE(more.has_value());
      std::ranges::move(*more, std::back_inserter(appended));
    }
  }
  void Acknowledge(uint64_t id, uint8_t error = 0) const {
    const std::string leaf(32, 'l');
    std::string bytes;
    sidecar::ipc::EncodeAcks({{id, error, 1, error == 0 ? leaf : "", error == 0 ? "" : "latched"}},
                             &bytes);
    REQUIRE(sidecar::ipc::Send(channel.get(), bytes).has_value());
  }
};

struct Bench {
  supervisor_test::SteadyClock clock;
  EventLoop loop{clock};
  Fd null{open("/dev/null", O_WRONLY | O_CLOEXEC)};
  broker::Log log{null.get(), "test", false};
  Journal journal{loop, log};
  Bench() { REQUIRE(loop.Open().has_value()); }

  FakeLedgerEnd NewLedger() {
    auto pair = sidecar::ipc::MakePair();
    REQUIRE(pair.has_value());
    journal.Attach(std::move(pair->first));
    return {std::move(pair->second), {}};
  }
  void Turn() { loop.RunOnce(std::chrono::milliseconds{0}); }
};

Entry Refused(const std::string& agent) {
  Entry entry{.type = EntryType::kConnectionRefused};
  entry.agent = agent;
  return entry;
}

}  // namespace

TEST_CASE("A ledger that does not answer stops nothing; what does not fit is counted") {
  Bench bench;
  FakeLedgerEnd ledger = bench.NewLedger();
  const size_t held = Journal::kMaxInFlight + Journal::kMaxWaiting;
  for (size_t i = 0; i < held + 7; ++i) bench.journal.Record(Refused("a"));
  CHECK(bench.journal.lost() == 7);
  ledger.Read();
  CHECK(ledger.appended.size() == Journal::kMaxInFlight);

  bool durable = false;
  bench.journal.WhenDurable([&durable] { durable = true; });
  for (size_t i = 0; i < ledger.appended.size(); ++i) {
    ledger.Acknowledge(ledger.appended[i].id);
    bench.Turn();
    ledger.Read();
  }
  CHECK(durable);
  REQUIRE(ledger.appended.size() == held + 1);
  const auto& counted = std::ranges::find_if(
      ledger.appended, [](const auto& append) { return append.entry.reason == "overloaded"; });
  REQUIRE(counted != ledger.appended.end());
  CHECK(std::get<int64_t>(counted->entry.change.at("count")) == 7);
}

TEST_CASE("A new ledger gets what its predecessor did not acknowledge, in order") {
  Bench bench;
  bench.journal.Record(Refused("before any ledger"));
  {
    FakeLedgerEnd first = bench.NewLedger();
    bench.journal.Record(Refused("second"));
    bench.journal.Record(Refused("third"));
    first.Read();
    REQUIRE(first.appended.size() == 3);
    first.Acknowledge(first.appended[0].id);
    bench.Turn();
  }
  bench.Turn();
  FakeLedgerEnd next = bench.NewLedger();
  next.Read();
  REQUIRE(next.appended.size() == 2);
  CHECK(next.appended[0].entry.agent == "second");
  CHECK(next.appended[1].entry.agent == "third");
}

TEST_CASE("An entry that the ledger refuses is lost, and known to be") {
  Bench bench;
  FakeLedgerEnd ledger = bench.NewLedger();
  bench.journal.Record(Refused("a"));
  ledger.Read();
  ledger.Acknowledge(ledger.appended.at(0).id, 4);
  bench.Turn();
  CHECK(bench.journal.lost() == 1);
}

TEST_CASE("A stop goes before all that waits, and finds room where there is none") {
  Bench bench;
  for (size_t i = 0; i < Journal::kMaxWaiting; ++i) bench.journal.Record(Refused("a"));
  bench.journal.RecordFirst({.type = EntryType::kKillEngaged});
  CHECK(bench.journal.lost() == 0);
  FakeLedgerEnd ledger = bench.NewLedger();
  ledger.Read();
  REQUIRE_FALSE(ledger.appended.empty());
  CHECK(ledger.appended[0].entry.type == EntryType::kKillEngaged);
}
