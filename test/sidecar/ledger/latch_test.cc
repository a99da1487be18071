#include <doctest/doctest.h>
#include <sys/mount.h>

#include <filesystem>

#include "test/sidecar/ledger/writer_fixture.h"

using broker::ErrorCode;
using sidecar::ledger::Origin;
namespace fs = std::filesystem;

namespace {

std::string OnlySegment(const std::string& folder) {
  return folder + "/" + SegmentsIn(folder).at(0);
}

// A file system of its own, of this size; unmounted at the end.
class SmallFileSystem {
 public:
  explicit SmallFileSystem(const std::string& options, unsigned long flags = 0)
      : mounted_(mount("tmpfs", folder_.path().c_str(), "tmpfs", flags, options.c_str()) == 0) {}
  ~SmallFileSystem() {
    if (mounted_) umount2(folder_.path().c_str(), MNT_DETACH);
  }
  SmallFileSystem(const SmallFileSystem&) = delete;
  SmallFileSystem& operator=(const SmallFileSystem&) = delete;
  [[nodiscard]] bool mounted() const { return mounted_; }
  [[nodiscard]] const std::string& path() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;
  bool mounted_;
};

}  // namespace

TEST_CASE("what goes wrong denies the very request, and all after it until an operator resumes") {
  const TemporaryFolder parent;
  const std::string folder = parent.path() + "/ledger";
  fs::create_directory(folder);
  WriterOnDisk ledger(folder);
  ledger.writer.Start();
  REQUIRE(ledger.Accepts(Issued("helpdesk")));
  std::string reason;
  std::function<void()> mend;
  SUBCASE("a failed sync") {
    ledger.disk.fails_with["sync"] = EIO;
    reason = "sync failed: EIO";
    mend = [&] { ledger.disk.fails_with.clear(); };
  }
  SUBCASE("a full disk, found out by the write") {
    ledger.disk.fails_with["append"] = ENOSPC;
    reason = "append failed: ENOSPC";
    mend = [&] { ledger.disk.fails_with.clear(); };
  }
  SUBCASE("a read-only file system") {
    ledger.disk.fails_with["append"] = EROFS;
    reason = "append failed: EROFS";
    mend = [&] { ledger.disk.fails_with.clear(); };
  }
  SUBCASE("a deleted file") {
    const std::string segment = OnlySegment(folder);
    fs::create_hard_link(segment, parent.path() + "/kept");
    fs::remove(segment);
    reason = "deleted, moved or replaced";
    mend = [&parent, segment] { fs::rename(parent.path() + "/kept", segment); };
  }
  SUBCASE("a replaced file") {
    const std::string segment = OnlySegment(folder);
    fs::rename(segment, parent.path() + "/kept");
    fs::copy_file(parent.path() + "/kept", segment);
    reason = "deleted, moved or replaced";
    mend = [&parent, segment] { fs::rename(parent.path() + "/kept", segment); };
  }
  SUBCASE("a folder moved away") {
    fs::rename(folder, parent.path() + "/elsewhere");
    fs::create_directory(folder);
    reason = "folder was deleted, moved or replaced";
    mend = [&] {
      fs::remove(folder);
      fs::rename(parent.path() + "/elsewhere", folder);
    };
  }
  SUBCASE("bytes that somebody else appended") {
    std::ofstream(OnlySegment(folder), std::ios::app) << "{}\n";
    reason = "somebody else wrote";
    mend = [] {};
  }
  const auto refused = ledger.Append(Issued("helpdesk"));
  REQUIRE(refused.error);
  CHECK(refused.error->code == ErrorCode::kUnavailable);
  CHECK_MESSAGE(refused.error->detail.find(reason) != std::string::npos, refused.error->detail);
  CHECK(ledger.writer.latch() == refused.error->detail);
  CHECK(ledger.log.Text().find("event=ledger_latched") != std::string::npos);

  mend();
  const auto syncs = ledger.disk.asked["sync"];
  const auto still = ledger.Append(Issued("helpdesk"));
  REQUIRE(still.error);
  CHECK(still.error->code == ErrorCode::kUnavailable);
  CHECK_FALSE(ledger.Accepts(Denied("helpdesk", "no_rule")));
  CHECK_FALSE(ledger.Accepts(Kill("helpdesk")));
  CHECK(ledger.disk.asked["sync"] == syncs);  // a sync that failed is not tried again

  ledger.writer.Resume();
  CHECK_MESSAGE(ledger.writer.latch().empty(), ledger.writer.latch());
  CHECK(ledger.Accepts(Issued("helpdesk")));
  CHECK(VerifyFolder(folder) == 0);
  const auto recovered = RecoveredIn(folder);
  REQUIRE_FALSE(recovered.empty());
  CHECK(recovered.back()["reason"] == "resumed");
  CHECK(std::string(recovered.back()["latch"]).find(reason) != std::string::npos);
}

TEST_CASE("what was never acknowledged is moved aside by a resume, and named") {
  const TemporaryFolder folder;
  WriterOnDisk ledger(folder.path());
  ledger.writer.Start();
  REQUIRE(ledger.Accepts(Issued("helpdesk")));
  const auto size = fs::file_size(OnlySegment(folder.path()));
  ledger.disk.fails_with["sync"] = EIO;
  REQUIRE_FALSE(ledger.Accepts(Issued("helpdesk")));  // whole in the file, perhaps not on the disk
  const std::string lost = ReadFile(OnlySegment(folder.path())).substr(size);
  ledger.disk.fails_with.clear();
  ledger.writer.Resume();
  const auto recovered = RecoveredIn(folder.path());
  REQUIRE(recovered.size() == 2);
  CHECK(recovered[0]["reason"] == "unacknowledged");
  CHECK(recovered[0]["bytes"] == lost.size());
  CHECK(recovered[0]["sha256"] == broker::ledger::Sha256Hex(lost));
  CHECK(ReadFile(folder.path() + "/" + std::string(recovered[0]["file"])) == lost);
  CHECK(VerifyFolder(folder.path()) == 0);
}

TEST_CASE("a resume does nothing while the cause is there, and nothing when there is none") {
  const TemporaryFolder folder;
  WriterOnDisk ledger(folder.path());
  ledger.writer.Start();
  REQUIRE(ledger.Accepts(Issued("helpdesk")));
  ledger.writer.Resume();
  CHECK(LinesIn(folder.path()).size() == 1);
  const std::string segment = OnlySegment(folder.path());
  fs::rename(segment, folder.path() + "/away");
  REQUIRE_FALSE(ledger.Accepts(Issued("helpdesk")));
  ledger.writer.Resume();
  CHECK(ledger.writer.latch().find("segment missing") != std::string::npos);
  CHECK_FALSE(ledger.Accepts(Issued("helpdesk")));
  CHECK(SegmentsIn(folder.path()).empty());  // and nobody began the ledger anew
}

TEST_CASE("with the disk full, only what stops purser is written, from the reserve") {
  const TemporaryFolder folder;
  WriterOnDisk ledger(folder.path());
  ledger.writer.Start();
  REQUIRE(ledger.Accepts(Issued("helpdesk")));
  ledger.disk.fails_with["reserve"] = ENOSPC;
  int accepted = 0;
  while (ledger.Accepts(Issued("helpdesk"))) ++accepted;
  CHECK(accepted > 0);
  CHECK(ledger.writer.latch() == "reserve failed: ENOSPC");
  CHECK_FALSE(ledger.Accepts(Denied("helpdesk", "no_rule")));
  CHECK(ledger.Accepts(Kill("helpdesk")));
  CHECK(ledger.Accepts(Stopped(), Origin::kSupervisor));
  ledger.writer.Resume();
  CHECK_FALSE(ledger.writer.latch().empty());
  CHECK(RecoveredIn(folder.path()).empty());  // asking again and again does not eat the reserve
  ledger.disk.fails_with.clear();
  ledger.writer.Resume();
  CHECK(ledger.writer.latch().empty());
  CHECK(ledger.Accepts(Issued("mailbot")));
  CHECK(ledger.Append(Issued("helpdesk")).error->code == ErrorCode::kDenied);
  CHECK(VerifyFolder(folder.path()) == 0);
}

TEST_CASE("a new day on a full disk leaves the old segment in use for a stop") {
  const TemporaryFolder folder;
  WriterOnDisk ledger(folder.path());
  ledger.writer.Start();
  REQUIRE(ledger.Accepts(Issued("helpdesk")));
  ledger.clock.Advance(std::chrono::hours(24));
  ledger.disk.fails_with["reserve"] = ENOSPC;
  CHECK_FALSE(ledger.Accepts(Issued("helpdesk")));
  CHECK(ledger.Accepts(Kill("helpdesk")));
  CHECK(SegmentsIn(folder.path()).size() == 1);
  CHECK(VerifyFolder(folder.path()) == 0);
  ledger.disk.fails_with.clear();
  ledger.writer.Resume();
  CHECK(ledger.Accepts(Issued("mailbot")));
  CHECK(SegmentsIn(folder.path()).size() == 2);
  CHECK(VerifyFolder(folder.path()) == 0);
}

TEST_CASE("a clock set back does not put a segment in the wrong place") {
  const TemporaryFolder folder;
  WriterOnDisk ledger(folder.path());
  ledger.writer.Start();
  REQUIRE(ledger.Accepts(Issued("helpdesk")));
  ledger.clock.Advance(-std::chrono::hours(72));
  REQUIRE(ledger.Accepts(Issued("helpdesk")));
  CHECK(SegmentsIn(folder.path()).size() == 1);
}

TEST_CASE("a really full file system keeps what it acknowledged and still takes a stop") {
  const SmallFileSystem disk("size=2m");
  if (!disk.mounted()) return;  // needs root
  WriterOnDisk ledger(disk.path());
  ledger.writer.Start();
  uint64_t accepted = 0;
  while (ledger.Accepts(Issued("helpdesk"))) ++accepted;
  CHECK(accepted > 1000);
  CHECK(ledger.writer.latch().find("ENOSPC") != std::string::npos);
  CHECK(ledger.Accepts(Kill("helpdesk")));
  CHECK(LinesIn(disk.path()).size() == accepted + 1);
  CHECK(VerifyFolder(disk.path()) == 0);
  REQUIRE(mount("tmpfs", disk.path().c_str(), "tmpfs", MS_REMOUNT, "size=8m") == 0);
  ledger.writer.Resume();
  CHECK(ledger.Accepts(Issued("mailbot")));
  CHECK(VerifyFolder(disk.path()) == 0);
}

TEST_CASE("a file system that is read-only from the start denies and says so") {
  const SmallFileSystem disk("size=2m", MS_RDONLY);
  if (!disk.mounted()) return;  // needs root
  WriterOnDisk ledger(disk.path());
  ledger.writer.Start();
  CHECK(ledger.Append(Issued("helpdesk")).error->code == ErrorCode::kUnavailable);
  CHECK(ledger.writer.latch().find("EROFS") != std::string::npos);
}

TEST_CASE("a head file that cannot be written denies") {
  const TemporaryFolder folder;
  WriterOnDisk ledger(folder.path());
  ledger.writer.Start();
  REQUIRE(ledger.Accepts(Issued("helpdesk")));
  ledger.disk.fails_with["overwrite"] = EIO;
  CHECK(ledger.Accepts(Issued("helpdesk")));  // durable before the head file was tried
  CHECK_FALSE(ledger.Accepts(Issued("helpdesk")));
}
