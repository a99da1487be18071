#include <doctest/doctest.h>
#include <sys/wait.h>

#include <filesystem>
#include <optional>

#include "broker/ledger/canonical_text.h"
#include "sidecar/ledger/archiver.h"
#include "test/sidecar/ledger/writer_fixture.h"

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

// Four days of entries, the last of which goes on: 2026-11-18 to 21, two lines a day.
struct FourDays {
  TemporaryFolder folder;
  FourDays() {
    fs::create_directory(Archive());
    WriterOnDisk ledger(path());
    ledger.writer.Start();
    for (int day = 0; day < 4; ++day) {
      if (day > 0) ledger.clock.Advance(std::chrono::hours(24));
      REQUIRE(ledger.Accepts(day == 1 ? Kill("mailbot") : Issued("helpdesk")));
      REQUIRE(ledger.Accepts(Issued("helpdesk")));
    }
    REQUIRE(SegmentsIn(path()).size() == 4);
  }
  [[nodiscard]] const std::string& path() const { return folder.path(); }
  [[nodiscard]] std::string Archive() const { return path() + "/archive"; }
};

// A writer some days later, with an archiver.
struct Later : WriterOnDisk {
  explicit Later(const FourDays& days, int dies_at = 0) : WriterOnDisk(days.path()) {
    disk.dies_at = dies_at;
    clock.Advance(std::chrono::hours(24 * 3));
    writer.Start();
  }
  json Ask(const std::string& order) {
    std::optional<std::string> answer;
    while (!answer) answer = archiver.Step(order);
    return json::parse(*answer);
  }
  // Until none is left; the answers' segments.
  std::vector<std::string> Move(const std::string& before) {
    std::vector<std::string> files;
    for (int left = 1; left > 0;) {
      const json answer = Ask(R"({"before":")" + before + R"(","dry_run":false})");
      REQUIRE_MESSAGE(!answer.contains("error"), answer.dump());
      if (answer.contains("moved")) files.push_back(answer["moved"]["file"]);
      left = answer["left"];
    }
    return files;
  }
  sidecar::ledger::Archiver archiver{segments, writer};
};

int Verify(const std::string& folder, const std::string& archive, std::string* out) {
  std::ostringstream text, err;
  const int code = sidecar::cli::AuditVerify({.folder = folder, .archive = archive}, text, err);
  *out = text.str() + err.str();
  return code;
}

// All entries of the ledger, wherever they are; each once.
size_t EntriesIn(const FourDays& days) {
  return LinesIn(days.path()).size() + LinesIn(days.Archive()).size();
}

}  // namespace

TEST_CASE("Closed segments begun before the day are moved, and recorded with what they hold") {
  FourDays days;
  const auto before = SegmentsIn(days.path());
  const std::string first = ReadFile(days.path() + "/" + before[0]);
  Later ledger(days);
  CHECK(ledger.Move("2026-11-20") == std::vector<std::string>{before[0], before[1]});
  CHECK(SegmentsIn(days.Archive()) == std::vector<std::string>{before[0], before[1]});
  CHECK(ReadFile(days.Archive() + "/" + before[0]) == first);
  const auto lines = LinesIn(days.path());
  REQUIRE(lines.size() == 4 + 3);
  const json intent = json::parse(lines[4]);
  CHECK(intent["type"] == "ledger.archived");
  CHECK(intent["outcome"] == "pending");
  CHECK(intent["change"]["file"] == before[0]);
  CHECK(intent["change"]["first"] == 1);
  CHECK(intent["change"]["archived"] == 2);
  CHECK(intent["change"]["sha256"] == broker::ledger::Sha256Hex(first));
  CHECK(intent["change"]["leaf"] == json::parse(LinesIn(days.Archive())[2])["prev"]);
  const json done = json::parse(lines[6]);
  CHECK(done["outcome"] == "success");
  CHECK(done["change"]["archived"] == 4);
  CHECK(ledger.Accepts(Issued("helpdesk")));
  CHECK_FALSE(ledger.Accepts(Issued("mailbot")));  // its kill is in the archive, and holds
}

TEST_CASE("What is not old, not closed, or no order moves nothing") {
  struct Row {
    const char* why;
    const char* order;
    int left;  // -1: an error
  };
  for (const Row& row :
       {Row{"nothing that old", R"({"before":"2026-11-18","dry_run":false})", 0},
        Row{"only asked", R"({"before":"2026-11-20","dry_run":true})", 2},
        Row{"the newest is never closed", R"({"before":"2999-01-01","dry_run":true})", 3},
        Row{"no object", "[]", -1}, Row{"no JSON", "{", -1},
        Row{"no day", R"({"dry_run":true})", -1},
        Row{"a day in numbers", R"({"before":1,"dry_run":true})", -1},
        Row{"a word for a flag", R"({"before":"x","dry_run":"no"})", -1},
        Row{"more than an order", R"({"before":"x","dry_run":true,"a":1})", -1}}) {
    CAPTURE(row.why);
    FourDays days;
    Later ledger(days);
    const json answer = ledger.Ask(row.order);
    CHECK(answer.contains("error") == (row.left < 0));
    if (row.left >= 0) CHECK(answer["left"] == row.left);
    CHECK(SegmentsIn(days.path()).size() == 4);
    CHECK(SegmentsIn(days.Archive()).empty());
    CHECK(LinesIn(days.path()).size() == 8);
  }
}

TEST_CASE("A latched ledger, and one that is damaged, archives nothing") {
  FourDays days;
  const std::string first = days.path() + "/" + SegmentsIn(days.path())[0];
  SUBCASE("a line was changed") {
    std::string bytes = ReadFile(first);
    bytes[bytes.find("Mail.Read")] = 'X';
    WriteFile(first, bytes);
  }
  SUBCASE("a line was cut off") {
    std::string bytes = ReadFile(first);
    bytes.resize(bytes.find('\n') + 1);
    WriteFile(first, bytes);
  }
  SUBCASE("half a line stands behind") { std::ofstream(first, std::ios::app) << "{\"a"; }
  SUBCASE("an entry of a name in the archive is there") {
    WriteFile(days.Archive() + "/" + SegmentsIn(days.path())[0], "another");
  }
  SUBCASE("the archive folder is gone") { fs::remove(days.Archive()); }
  SUBCASE("the disk fails") {}
  Later ledger(days);
  const bool fails = fs::exists(days.Archive()) && SegmentsIn(days.Archive()).empty() &&
                     VerifyFolder(days.path()) == 0;
  if (fails) ledger.disk.fails_with["sync"] = EIO;
  CHECK(ledger.Ask(R"({"before":"2026-11-20","dry_run":false})").contains("error"));
  CHECK(SegmentsIn(days.path()).size() == 4);
}

namespace {

constexpr const char* kOrder = R"({"before":"2026-11-21","dry_run":false})";

// A day of entries that takes more than one piece to read, and the day after it.
struct LongDay {
  static constexpr size_t kPiece = 2 * broker::ledger::kMaxLineBytes;
  TemporaryFolder long_folder;
  LongDay() {
    fs::create_directory(long_folder.path() + "/archive");
    WriterOnDisk ledger(long_folder.path());
    ledger.writer.Start();
    for (uint64_t id = 1; id <= 200; ++id) {
      ledger.writer.Add({0, id}, sidecar::ledger::Origin::kBroker, Issued("helpdesk"));
    }
    ledger.writer.Commit();
    ledger.writer.SaveHead();
    REQUIRE(fs::file_size(First()) > 2 * kPiece);
    ledger.clock.Advance(std::chrono::hours(24));
    REQUIRE(ledger.Accepts(Issued("helpdesk")));
  }
  [[nodiscard]] std::string First() const {
    return long_folder.path() + "/" + SegmentsIn(long_folder.path())[0];
  }
};

}  // namespace

TEST_CASE("While a segment is read entries are appended, a stop among them") {
  LongDay day;
  WriterOnDisk ledger(day.long_folder.path());
  ledger.clock.Advance(std::chrono::hours(24 * 3));
  ledger.writer.Start();
  sidecar::ledger::Archiver archiver(ledger.segments, ledger.writer, LongDay::kPiece);
  std::optional<std::string> answer;
  int pieces = 0;
  for (; !answer; ++pieces) {
    answer = archiver.Step(kOrder);
    CHECK(ledger.Accepts(pieces == 0 ? Kill("mailbot") : Issued("helpdesk")));
  }
  CHECK(pieces > 3);
  REQUIRE_FALSE(json::parse(*answer).contains("error"));
  CHECK_FALSE(ledger.Accepts(Issued("mailbot")));
  CHECK(SegmentsIn(day.long_folder.path() + "/archive").size() == 1);
  CHECK(VerifyFolder(day.long_folder.path()) == 0);
}

TEST_CASE("What is put in a segment's place while it is read is not archived") {
  LongDay day;
  WriterOnDisk ledger(day.long_folder.path());
  ledger.clock.Advance(std::chrono::hours(24 * 3));
  ledger.writer.Start();
  const std::string first = day.First();
  const std::string bytes = ReadFile(first);
  sidecar::ledger::Archiver archiver(ledger.segments, ledger.writer, LongDay::kPiece);
  REQUIRE_FALSE(archiver.Step(kOrder).has_value());
  SUBCASE("another file with the same lines") {
    fs::rename(first, first + ".away");
    WriteFile(first, bytes);
  }
  SUBCASE("nothing") { fs::rename(first, first + ".away"); }
  SUBCASE("a shorter one") { fs::resize_file(first, bytes.size() / 2); }
  SUBCASE("a line that was changed further on") {
    std::string changed = bytes;
    changed[changed.rfind("Mail.Read")] = 'X';
    std::fstream(first, std::ios::in | std::ios::out | std::ios::binary) << changed;
  }
  std::optional<std::string> answer;
  while (!answer) answer = archiver.Step(kOrder);
  CHECK(json::parse(*answer).contains("error"));
  CHECK(SegmentsIn(day.long_folder.path() + "/archive").empty());
}

TEST_CASE("What was kept of a segment, and is not what it amounts to, is not passed off as it") {
  FourDays days;
  Later ledger(days);
  const std::string first = SegmentsIn(days.path())[0];
  WriteFile(days.path() + "/" + first + ".end", "{}\n");
  CHECK(ledger.Ask(R"({"before":"2026-11-20","dry_run":false})").contains("error"));
  CHECK(SegmentsIn(days.path()).size() == 4);
  CHECK(LinesIn(days.path()).size() == 8);
}

TEST_CASE("Verifying goes on behind what is archived, or covers it, and says which") {
  FourDays days;
  {
    Later ledger(days);
    ledger.Move("2026-11-20");
  }
  std::string out;
  CHECK(Verify(days.path(), {}, &out) == 0);  // the archive stands below
  CHECK(out.find("11 entries, 4 segments") != std::string::npos);
  CHECK(out.find("note") == std::string::npos);
  const TemporaryFolder elsewhere;
  fs::rename(days.Archive(), elsewhere.path() + "/a");
  CHECK(Verify(days.path(), elsewhere.path() + "/a", &out) == 0);
  CHECK(out.find("11 entries, 4 segments") != std::string::npos);
  CHECK(Verify(days.path(), {}, &out) == 0);
  CHECK(out.find("7 entries, 2 segments") != std::string::npos);
  CHECK(out.find("verified from entry 5 on") != std::string::npos);
  // An archive of which the older part was taken still further away goes on from its own folder.
  const auto archived = SegmentsIn(elsewhere.path() + "/a");
  fs::remove(elsewhere.path() + "/a/" + archived[0]);
  CHECK(Verify(days.path(), elsewhere.path() + "/a", &out) == 0);
  CHECK(out.find("verified from entry 3 on") != std::string::npos);
}

TEST_CASE("Segments that are gone, and were not archived, are missing") {
  FourDays days;
  {
    Later ledger(days);
    ledger.Move("2026-11-19");
  }
  const auto own = SegmentsIn(days.path());
  std::string out;
  const auto end = [&](const std::string& segment) { return days.path() + "/" + segment + ".end"; };
  const std::string kept = SegmentsIn(days.Archive())[0];
  SUBCASE("one more than was archived") { fs::remove(days.path() + "/" + own[0]); }
  SUBCASE("one in the archive's place alone") {
    fs::rename(days.path() + "/" + own[1], days.Archive() + "/" + own[1]);
  }
  SUBCASE("what was kept of it, too") {
    fs::remove_all(days.Archive());
    fs::remove(end(kept));
  }
  SUBCASE("what was kept of it is another's") {
    fs::remove_all(days.Archive());
    std::string bytes = ReadFile(end(kept));
    bytes.replace(bytes.find("\"killed\":[]"), 11, "\"killed\":[\"helpdesk\"]");
    WriteFile(end(kept), bytes);
  }
  SUBCASE("a line in the archive was changed") {
    std::string bytes = ReadFile(days.Archive() + "/" + kept);
    bytes[bytes.find("Mail.Read")] = 'X';
    WriteFile(days.Archive() + "/" + kept, bytes);
  }
  CHECK(Verify(days.path(), {}, &out) == 3);
  CHECK(out.find("TAMPERED") != std::string::npos);
}

TEST_CASE("A ledger starts without its first segments, and without its head file, too") {
  FourDays days;
  {
    Later ledger(days);
    ledger.Move("2026-11-21");
  }
  fs::remove_all(days.Archive());
  SUBCASE("with its head file") {}
  SUBCASE("without") { fs::remove(days.path() + "/head"); }
  Later again(days);
  CHECK_MESSAGE(again.writer.latch().empty(), again.writer.latch());
  CHECK_FALSE(again.Accepts(Issued("mailbot")));
  CHECK(again.Accepts(Issued("helpdesk")));
  CHECK(VerifyFolder(days.path()) == 0);
}

TEST_CASE("Without a head file and without what was kept a ledger does not start") {
  FourDays days;
  {
    Later ledger(days);
    ledger.Move("2026-11-21");
  }
  fs::remove(days.path() + "/head");
  for (const auto& file : fs::directory_iterator(days.path())) {
    if (file.path().extension() == ".end") fs::remove(file.path());
  }
  Later again(days);
  CHECK(again.writer.latch().find("entries missing before") != std::string::npos);
}

TEST_CASE("Killed at any step of an archive, no entry is lost, and a start completes it") {
  int steps = 0;
  for (bool finished = false; !finished;) {
    ++steps;
    REQUIRE(steps < 200);
    CAPTURE(steps);
    FourDays days;
    const pid_t child = fork();
    if (child == 0) {
      Later ledger(days, steps);
      ledger.Move("2026-11-21");
      _exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    finished = WIFEXITED(status);
    if (finished) REQUIRE(WEXITSTATUS(status) == 0);

    CHECK(VerifyFolder(days.path()) == 0);
    CHECK(EntriesIn(days) >= 8);
    Later after(days);
    CHECK_MESSAGE(after.writer.latch().empty(), after.writer.latch());
    const auto& state = after.writer.head().state;
    CHECK(state.archived == state.archive_intended);
    CHECK(SegmentsIn(days.Archive()).size() == state.archived / 2);
    CHECK_FALSE(after.Accepts(Issued("mailbot")));
    after.Move("2026-11-21");
    CHECK(SegmentsIn(days.Archive()).size() == 3);
    CHECK(VerifyFolder(days.path()) == 0);
    fs::remove_all(days.Archive());
    CHECK(VerifyFolder(days.path()) == 0);
  }
  CHECK(steps > 20);
}
