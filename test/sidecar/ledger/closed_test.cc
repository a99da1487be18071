// A ledger that instance.torn_down has closed.
#include <doctest/doctest.h>

#include <filesystem>

#include "test/sidecar/ledger/writer_fixture.h"

using broker::ErrorCode;
using broker::ledger::Entry, broker::ledger::EntryType, broker::ledger::Outcome;
using sidecar::ledger::Origin;

namespace {

Entry Last() { return {.type = EntryType::kInstanceTornDown, .outcome = Outcome::kSuccess}; }
Entry OfDaemon(EntryType type) { return {.type = type, .outcome = Outcome::kSuccess}; }

std::string TypeOfLast(const std::string& folder) {
  const auto lines = LinesIn(folder);
  return std::string(Scanned(lines.back()).type);
}

}  // namespace

TEST_CASE("After instance.torn_down nothing is taken, from nobody, not even in the same batch") {
  const TemporaryFolder folder;
  WriterOnDisk ledger(folder.path());
  ledger.writer.Start();
  REQUIRE(ledger.Accepts(Issued("helpdesk")));
  ledger.writer.Add({0, 1}, Origin::kBroker, Last());
  ledger.writer.Add({0, 2}, Origin::kBroker, Issued("helpdesk"));
  const auto& answers = ledger.writer.Commit();
  CHECK(!answers.at(0).error);
  CHECK(answers.at(1).error->code == ErrorCode::kDenied);
  ledger.writer.SaveHead();
  CHECK(!ledger.Accepts(Issued("helpdesk")));
  CHECK(!ledger.Accepts(Last()));
  CHECK(!ledger.Accepts(OfDaemon(EntryType::kDaemonStopped), Origin::kSupervisor));
  CHECK(!ledger.Accepts(OfDaemon(EntryType::kKillEngaged), Origin::kSupervisor));
  CHECK(!ledger.Accepts(OfDaemon(EntryType::kConnectionOpened), Origin::kDialer));
  CHECK(ledger.writer.latch() == "torn down: entry 2 is the last one of this ledger");
  CHECK(TypeOfLast(folder.path()) == "instance.torn_down");
  CHECK(VerifyFolder(folder.path()) == 0);
}

TEST_CASE("A closed ledger stays closed: over a resume, a restart, and with its head file lost") {
  const TemporaryFolder folder;
  {
    WriterOnDisk ledger(folder.path());
    ledger.writer.Start();
    REQUIRE(ledger.Accepts(Issued("helpdesk")));
    REQUIRE(ledger.Accepts(Last()));
    ledger.writer.Resume();
    CHECK(!ledger.Accepts(Issued("helpdesk")));
  }
  bool head = true;
  SUBCASE("the head file names the last entry") {}
  SUBCASE("the head file is lost") { head = false; }
  if (!head) std::filesystem::remove(folder.path() + "/head");
  WriterOnDisk again(folder.path());
  again.writer.Start();
  CHECK(again.writer.latch().starts_with(broker::ledger::kClosedWord));
  CHECK(!again.Accepts(OfDaemon(EntryType::kDaemonStarted), Origin::kSupervisor));
  again.writer.Resume();
  CHECK(!again.Accepts(Issued("helpdesk")));
  CHECK(LinesIn(folder.path()).size() == 2);
  CHECK(TypeOfLast(folder.path()) == "instance.torn_down");
  if (head) CHECK(VerifyFolder(folder.path()) == 0);
}

TEST_CASE("purserd may write the last entry, a dialer not") {
  const TemporaryFolder folder;
  WriterOnDisk ledger(folder.path());
  ledger.writer.Start();
  CHECK(!ledger.Accepts(Last(), Origin::kDialer));
  CHECK(ledger.Accepts(Last(), Origin::kSupervisor));
}
