// What purserd destroys, and what it remembers of it.
#include "sidecar/supervisor/teardown.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

using namespace sidecar::supervisor;
using broker::ErrorCode;
using nlohmann::json;
using supervisor_test::Folder;

namespace {

bool IsThere(const std::string& path) {
  struct stat facts{};
  return lstat(path.c_str(), &facts) == 0;
}

broker::policy::Config SealedBy(const Folder& folder, const char* kind, const std::string& path) {
  broker::policy::Config config;
  config.paths.state = folder.path();
  config.seal = {kind, path};
  return config;
}

}  // namespace

TEST_CASE("A file is overwritten in place, whoever has it open, and removed") {
  const Folder folder;
  const std::string secret(200'000, 'k');  // over several blocks
  folder.Write("kek", secret);
  const std::string other = folder / "other-name";
  REQUIRE(link((folder / "kek").c_str(), other.c_str()) == 0);
  const json told = CarryOut({"the key", folder / "kek", "shred it"});
  CHECK(told["done"] == true);
  CHECK_FALSE(told.contains("by_hand"));
  CHECK_FALSE(IsThere(folder / "kek"));
  const std::string left = folder.Read("other-name");
  CHECK(left.size() == secret.size());
  CHECK(left.find("kkkkkkkk") == std::string::npos);
}

TEST_CASE("What is not a file of its own is left, and said with what to do by hand") {
  const Folder folder;
  folder.Write("victim", "of somebody");
  REQUIRE(symlink((folder / "victim").c_str(), (folder / "link").c_str()) == 0);
  REQUIRE(mkfifo((folder / "fifo").c_str(), 0600) == 0);
  // clang-format off
  struct Row { const char* why; std::string path; bool done; };
  const Row rows[] = {
      {"a link",                    folder / "link",        false},
      {"a folder",                  folder.path(),          false},
      {"a pipe",                    folder / "fifo",        false},
      {"below a file",              folder / "victim/kek",  false},
      {"not purser's",              "",                     false},
      {"not there: done before",    folder / "absent",      true},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(std::string(row.why));
    const json told = CarryOut({"the key", row.path, "shred it"});
    CHECK(told["done"] == row.done);
    CHECK(told.contains("by_hand") == !row.done);
  }
  CHECK(folder.Read("victim") == "of somebody");
}

TEST_CASE("Of each kind of seal it is said what is purser's to destroy, the key before the store") {
  const Folder folder;
  // clang-format off
  struct Row { const char* kind; bool has_path; const char* by_hand; };
  const Row rows[] = {
      {"file",               true,  "shred -u"},
      {"systemd-credential", false, "LoadCredentialEncrypted="},
      {"passphrase",         false, "kept by people"},
      {"azure-key-vault",    false, "az keyvault key delete"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(std::string(row.kind));
    const auto deeds = DeedsOf(SealedBy(folder, row.kind, folder / "kek"));
    REQUIRE(deeds.size() > 5);
    CHECK(deeds[0].path.empty() != row.has_path);
    CHECK(deeds[0].by_hand.find(row.by_hand) != std::string::npos);
    CHECK(deeds.back().path.find("/store.db") != std::string::npos);
  }
}

TEST_CASE("Before, the attempt to open what is left says that it is there; afterwards, that not") {
  const Folder folder;
  const auto config = SealedBy(folder, "file", folder / "kek");
  folder.Write("kek", std::string(64, '0'));
  REQUIRE(chmod((folder / "kek").c_str(), 0400) == 0);
  CHECK(TryToOpen(config, "")[0] == "the key: STILL THERE");
  const json told = CarryOutAll(DeedsOf(config));
  CHECK(told[0]["done"] == true);
  for (const json& attempt : TryToOpen(config, "")) {
    CHECK(attempt.get<std::string>().find("STILL") == std::string::npos);
  }
}

TEST_CASE("What is noted is read again; what somebody else wrote is not a teardown") {
  const Folder folder;
  const broker::policy::Paths paths{.state = folder.path()};
  CHECK(ReadTeardown(paths)->phase == TeardownPhase::kNone);
  REQUIRE(WriteTeardown(paths, {.phase = TeardownPhase::kBegun}).has_value());
  CHECK(ReadTeardown(paths)->phase == TeardownPhase::kBegun);
  TeardownNote note{.phase = TeardownPhase::kDestroying, .report = {{"why", "over"}}};
  REQUIRE(WriteTeardown(paths, note).has_value());
  CHECK(ReadTeardown(paths)->phase == TeardownPhase::kDestroying);
  note.phase = TeardownPhase::kClosed;
  note.ledger = {{"seq", 7}};
  REQUIRE(WriteTeardown(paths, note).has_value());
  const auto again = ReadTeardown(paths);
  CHECK(again->phase == TeardownPhase::kClosed);
  CHECK(again->report["why"] == "over");
  CHECK(again->ledger["seq"] == 7);
  struct stat facts{};
  REQUIRE(stat((folder / "teardown.json").c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
  for (const char* text : {"", "{}", "[]", R"({"phase":"none"})", R"({"phase":7})", "closed"}) {
    CAPTURE(std::string(text));
    folder.Write("teardown.json", text);
    REQUIRE_FALSE(ReadTeardown(paths).has_value());
    CHECK(ReadTeardown(paths).error().code == ErrorCode::kCorrupt);
  }
}
