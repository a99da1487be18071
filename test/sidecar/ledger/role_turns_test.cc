// What one turn of the ledger does for all who wait, and what it does as time goes by.
#include <doctest/doctest.h>

#include "broker/ledger/leaf.h"
#include "test/fakes/faulty_disk.h"
#include "test/sidecar/ledger/running_role.h"

using sidecar::ipc::MessageType;

namespace {

/// Syncs that a role asks of its disk from start to stop, where so many appends waited at once.
int SyncsOf(int waiting) {
  const TemporaryFolder folder;
  auto owned = std::make_unique<FaultyDisk>(folder.path());
  FaultyDisk& disk = *owned;
  RunningRole ledger(std::move(owned));
  REQUIRE(ledger.started);
  auto [near, far] = *sidecar::ipc::MakePair();
  for (int id = 1; id <= waiting; ++id) {
    std::string out;
    Encode(sidecar::ipc::Append{static_cast<uint64_t>(id), Issued("helpdesk")}, &out);
    REQUIRE(sidecar::ipc::Send(near.get(), out, {}, /*nonblocking=*/true));
  }
  // Only now does the role see any of them.
  ledger.Send(MessageType::kBrokerChannel, {}, {far.get()});
  int answered = 0;
  while (answered < waiting) {
    sidecar::ipc::Message message;
    REQUIRE(sidecar::ipc::Receive(near.get(), &message));
    const auto acks = sidecar::ipc::DecodeAcks(message.bytes);
    REQUIRE(acks);
    for (const auto& ack : *acks) CHECK(ack.error == 0);
    answered += static_cast<int>(acks->size());
  }
  ledger.Stop();
  CHECK(LinesIn(folder.path()).size() == static_cast<size_t>(waiting));
  return disk.asked["sync"];
}

size_t HeadsIn(const std::string& log) {
  size_t heads = 0;
  for (size_t at = 0; (at = log.find("event=ledger_head ", at)) != log.npos; ++at) ++heads;
  return heads;
}

/// Two questions, since the first may be answered in the middle of a turn.
void FinishTurn(RunningRole& ledger) {
  for (int i = 0; i < 2; ++i) REQUIRE(ledger.broker.Query());
}

}  // namespace

TEST_CASE("A hundred appends that wait cost as many syncs as one") {
  const int one = SyncsOf(1);
  CHECK(one > 0);
  CHECK(SyncsOf(100) == one);
}

TEST_CASE("The head goes to the operational log every minute while there is news") {
  using std::chrono::seconds;
  const TemporaryFolder folder;
  RunningRole ledger(folder.path());
  REQUIRE(ledger.broker.Append(Issued("helpdesk")));
  ledger.clock.Advance(sidecar::ledger::Role::kHeadLogInterval - seconds(1));
  const auto last = ledger.broker.Append(Issued("helpdesk"));
  REQUIRE(last);
  FinishTurn(ledger);
  CHECK(HeadsIn(ledger.log.Text()) == 0);

  ledger.clock.Advance(seconds(1));
  FinishTurn(ledger);
  CHECK(HeadsIn(ledger.log.Text()) == 1);
  CHECK(ledger.log.Text().find("event=ledger_head instance=test-log seq=2 leaf=" +
                               broker::ledger::LeafHex(last->leaf)) != std::string::npos);

  ledger.clock.Advance(sidecar::ledger::Role::kHeadLogInterval);  // and nothing new
  FinishTurn(ledger);
  CHECK(HeadsIn(ledger.log.Text()) == 1);

  REQUIRE(ledger.broker.Append(Issued("helpdesk")));
  FinishTurn(ledger);
  CHECK(HeadsIn(ledger.log.Text()) == 2);
  ledger.Stop();
  CHECK(HeadsIn(ledger.log.Text()) == 2);  // it is in the log already
}
