#include "sidecar/supervisor/layout.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

using namespace sidecar::supervisor;
using supervisor_test::Folder;

TEST_CASE("A folder that somebody else could have prepared is refused") {
  const Folder folder;
  CHECK(PrepareFolder(folder / "new", std::nullopt, 0755).has_value());
  CHECK(PrepareFolder(folder / "new", std::nullopt, 0700).has_value());
  struct stat status{};
  REQUIRE(stat((folder / "new").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0700);
  REQUIRE(symlink((folder / "new").c_str(), (folder / "link").c_str()) == 0);
  CHECK_FALSE(PrepareFolder(folder / "link", std::nullopt, 0755).has_value());
  folder.Write("file", "");
  CHECK_FALSE(PrepareFolder(folder / "file", std::nullopt, 0755).has_value());
  CHECK_FALSE(PrepareFolder(folder / "absent/below", std::nullopt, 0755).has_value());
  if (geteuid() == 0) {
    REQUIRE(chown((folder / "new").c_str(), 61002, 61002) == 0);
    CHECK_FALSE(PrepareFolder(folder / "new", std::nullopt, 0755).has_value());
    CHECK_FALSE(PrepareFolder(folder / "new", RunAs{61001, 61001}, 0755).has_value());
    CHECK(PrepareFolder(folder / "new", RunAs{61002, 61002}, 0755).has_value());
  }
}

TEST_CASE("Every group of auditors reads the ledger's files, and nobody else") {
  if (geteuid() != 0) return;
  constexpr uint32_t kLedger = 61011;
  constexpr uint32_t kAuditors = 61012;
  constexpr uint32_t kMoreAuditors = 61013;
  constexpr uint32_t kStrangers = 61014;
  const Folder folder;
  broker::policy::Config config;
  config.paths = {folder / "state", folder / "run"};
  RoleUsers users;
  users.at(static_cast<size_t>(RoleKind::kLedger)) = RunAs{kLedger, kLedger};
  const auto prepared_for = [&](std::vector<uint32_t> gids) {
    config.admin.auditor_gids = std::move(gids);
    return PrepareFolders(config, users).has_value();
  };
  const auto written = [&](const std::string& name) {
    const std::string path = folder / ("state/ledger/" + name);
    const sidecar::ipc::Fd file(open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0640));
    return file.valid() && fchown(file.get(), kLedger, static_cast<gid_t>(-1)) == 0;
  };
  // As a member of `gid` and no more; a writable descriptor would be a fault of its own.
  const auto reads = [&](uint32_t gid, const std::string& path) {
    const pid_t child = fork();
    if (child == 0) {
      if (setgroups(0, nullptr) != 0 || setresgid(gid, gid, gid) != 0 ||
          setresuid(kStrangers, kStrangers, kStrangers) != 0) {
        _exit(2);
      }
      if (open(path.c_str(), O_RDWR | O_CLOEXEC) >= 0) _exit(3);
      _exit(open(path.c_str(), O_RDONLY | O_CLOEXEC) >= 0 ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WEXITSTATUS(status) < 2);
    return WEXITSTATUS(status) == 0;
  };
  folder.Write("private", "somebody else's");
  REQUIRE(chmod((folder / "private").c_str(), 0600) == 0);

  REQUIRE(prepared_for({kAuditors}));
  REQUIRE(written("before"));
  REQUIRE(symlink((folder / "private").c_str(), (folder / "state/ledger/link").c_str()) == 0);
  REQUIRE(prepared_for({kAuditors, kMoreAuditors, kAuditors}));
  REQUIRE(written("after"));
  for (const char* name : {"before", "after"}) {
    CAPTURE(std::string(name));
    const std::string path = folder / ("state/ledger/" + std::string(name));
    CHECK(reads(kAuditors, path));
    CHECK(reads(kMoreAuditors, path));
    CHECK_FALSE(reads(kStrangers, path));
  }
  CHECK_FALSE(reads(kMoreAuditors, folder / "private"));
  REQUIRE(prepared_for({kMoreAuditors}));
  CHECK_FALSE(reads(kAuditors, folder / "state/ledger/before"));
  CHECK_FALSE(reads(kAuditors, folder / "state/ledger/after"));
  CHECK(reads(kMoreAuditors, folder / "state/ledger/before"));
  REQUIRE(prepared_for({}));
  CHECK_FALSE(reads(kMoreAuditors, folder / "state/ledger/after"));
}
