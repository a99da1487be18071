#include "sidecar/ledger/recovery.h"

#include <doctest/doctest.h>
#include <sys/wait.h>

#include <filesystem>

#include "test/sidecar/ledger/writer_fixture.h"

namespace fs = std::filesystem;

namespace {

// Three entries and a clean end.
std::string Written(const TemporaryFolder& folder) {
  WriterOnDisk ledger(folder.path());
  ledger.writer.Start();
  for (int i = 0; i < 3; ++i) REQUIRE(ledger.Accepts(Issued("helpdesk")));
  return folder.path() + "/" + SegmentsIn(folder.path()).at(0);
}

}  // namespace

TEST_CASE("a torn tail is moved aside, recorded, and the chain goes on") {
  const TemporaryFolder folder;
  const std::string segment = Written(folder);
  const std::string whole = ReadFile(segment);
  std::string torn;
  SUBCASE("half a line") { torn = "{\"agent\":{\"name\":\"help"; }
  SUBCASE("one byte") { torn = "{"; }
  SUBCASE("blocks that never reached the disk") { torn = std::string(5000, '\0'); }
  SUBCASE("blocks that never reached the disk, then the end of a line") {
    torn = std::string(5000, '\0') + "\"v\":1}\n";
  }
  WriteFile(segment, whole + torn);
  WriterOnDisk ledger(folder.path());
  ledger.writer.Start();
  CHECK(ledger.writer.latch().empty());
  const auto recovered = RecoveredIn(folder.path());
  REQUIRE(recovered.size() == 1);
  CHECK(recovered[0]["reason"] == "torn_tail");
  CHECK(recovered[0]["bytes"] == torn.size());
  CHECK(recovered[0]["sha256"] == broker::ledger::Sha256Hex(torn));
  CHECK(ReadFile(folder.path() + "/" + std::string(recovered[0]["file"])) == torn);
  CHECK(ReadFile(segment).starts_with(whole));
  CHECK(ledger.Accepts(Issued("helpdesk")));
  CHECK(VerifyFolder(folder.path()) == 0);
}

TEST_CASE("an untouched ledger starts without an entry of its own") {
  const TemporaryFolder folder;
  Written(folder);
  WriterOnDisk ledger(folder.path());
  ledger.writer.Start();
  CHECK(ledger.writer.head().state.seq == 3);
  CHECK(LinesIn(folder.path()).size() == 3);
}

TEST_CASE("entries behind a head file that lags are found again") {
  const TemporaryFolder folder;
  const std::string segment = Written(folder);
  const std::string head = ReadFile(folder.path() + "/head");
  {
    WriterOnDisk ledger(folder.path());
    ledger.writer.Start();
    REQUIRE(ledger.Accepts(Kill("helpdesk")));
    ledger.clock.Advance(std::chrono::hours(24));
    REQUIRE(ledger.Accepts(Issued("mailbot")));
  }
  WriteFile(folder.path() + "/head", head);
  WriterOnDisk ledger(folder.path());
  ledger.writer.Start();
  CHECK(ledger.writer.latch().empty());
  CHECK(ledger.writer.head().state.seq == 5);
  CHECK_FALSE(ledger.Accepts(Issued("helpdesk")));
  CHECK(VerifyFolder(folder.path()) == 0);
}

TEST_CASE("a head file that is gone or damaged is made anew, and that is recorded") {
  const TemporaryFolder folder;
  Written(folder);
  std::string reason;
  SUBCASE("gone") {
    fs::remove(folder.path() + "/head");
    reason = "head_missing";
  }
  SUBCASE("damaged") {
    WriteFile(folder.path() + "/head", "{}\n");
    reason = "head_damaged";
  }
  WriterOnDisk ledger(folder.path());
  ledger.writer.Start();
  CHECK(ledger.writer.latch().empty());
  REQUIRE(RecoveredIn(folder.path()).size() == 1);
  CHECK(RecoveredIn(folder.path())[0]["reason"] == reason);
  CHECK(VerifyFolder(folder.path()) == 0);
}

TEST_CASE("a ledger that was tampered with is not written to") {
  const TemporaryFolder folder;
  const std::string segment = Written(folder);
  std::string bytes = ReadFile(segment);
  std::string reason;
  SUBCASE("the last entry was cut off") {
    bytes.resize(bytes.rfind('\n', bytes.size() - 2) + 1);
    reason = "last entries missing";
  }
  SUBCASE("the last entry was changed") {
    bytes[bytes.rfind("Mail.Read")] = 'X';
    reason = "last entry changed";
  }
  SUBCASE("an entry was removed, and the head file with it") {
    fs::remove(folder.path() + "/head");
    bytes.erase(0, bytes.find('\n') + 1);
    reason = "chain broken";
  }
  SUBCASE("an entry that does not follow was appended") {
    bytes += bytes.substr(0, bytes.find('\n') + 1);
    reason = "chain broken";
  }
  SUBCASE("a segment of the middle was removed") {
    fs::rename(segment, folder.path() + "/" + broker::ledger::FormatSegmentName({"2026-11-20", 2}));
    reason = "segment missing";
  }
  if (fs::exists(segment)) WriteFile(segment, bytes);
  WriterOnDisk ledger(folder.path());
  ledger.writer.Start();
  CHECK_MESSAGE(ledger.writer.latch().find(reason) != std::string::npos, ledger.writer.latch());
  CHECK_FALSE(ledger.Accepts(Issued("helpdesk")));
  CHECK_FALSE(ledger.Accepts(Kill("helpdesk")));
  ledger.writer.Resume();
  CHECK_FALSE(ledger.writer.latch().empty());
  if (fs::exists(segment)) CHECK(ReadFile(segment) == bytes);
}

// What a ledger does in its life: starts, appends over two days, recovers, resumes.
void Live(WriterOnDisk& ledger, int acknowledged_to) {
  const auto append = [&](const broker::ledger::Entry& entry) {
    const auto answer = ledger.Append(entry);
    if (answer.error) return;
    const ssize_t told = write(acknowledged_to, &answer.seq, sizeof answer.seq);
    if (told != sizeof answer.seq) _exit(9);
  };
  ledger.writer.Start();
  append(Issued("helpdesk"));
  append(Kill("mailbot"));
  ledger.clock.Advance(std::chrono::hours(24));
  append(Issued("helpdesk"));
  ledger.disk.fails_with["sync"] = EIO;
  append(Issued("helpdesk"));
  ledger.disk.fails_with.clear();
  ledger.writer.Resume();
  append(Issued("helpdesk"));
}

TEST_CASE("killed at any step, nothing acknowledged is lost and the ledger verifies") {
  int steps = 0;
  for (bool finished = false; !finished;) {
    ++steps;
    REQUIRE(steps < 200);
    CAPTURE(steps);
    const TemporaryFolder folder;
    {  // a torn tail to recover from, so that those steps are among the steps
      WriterOnDisk ledger(folder.path());
      ledger.writer.Start();
      REQUIRE(ledger.Accepts(Issued("helpdesk")));
      std::ofstream(folder.path() + "/" + SegmentsIn(folder.path()).at(0), std::ios::app) << "{\"a";
    }
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const pid_t child = fork();
    if (child == 0) {
      WriterOnDisk ledger(folder.path());
      ledger.disk.dies_at = steps;
      Live(ledger, ends[1]);
      _exit(0);
    }
    close(ends[1]);
    uint64_t acknowledged = 0;
    for (uint64_t seq = 0; read(ends[0], &seq, sizeof seq) == sizeof seq;) acknowledged = seq;
    close(ends[0]);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    finished = WIFEXITED(status);
    if (finished) REQUIRE(WEXITSTATUS(status) == 0);

    CHECK(VerifyFolder(folder.path()) == 0);
    WriterOnDisk after(folder.path());
    after.writer.Start();
    CHECK_MESSAGE(after.writer.latch().empty(), after.writer.latch());
    CHECK(after.writer.head().state.seq >= acknowledged);
    CHECK(after.Accepts(Issued("helpdesk")));
    constexpr uint64_t kKillSeq = 4;  // behind one, its torn tail's record, and another
    if (acknowledged >= kKillSeq) CHECK_FALSE(after.Accepts(Issued("mailbot")));
    CHECK(VerifyFolder(folder.path()) == 0);
    for (const auto& file : fs::directory_iterator(folder.path())) {
      CHECK_FALSE(file.path().string().ends_with(".torn.new"));
    }
  }
  CHECK(steps > 30);
}
