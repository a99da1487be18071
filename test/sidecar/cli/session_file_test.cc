#include "sidecar/cli/session_file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

using sidecar::cli::SessionFile;

namespace {

constexpr const char* kSocket = "/run/purser/admin/sock";
const std::string kSession(64, 'a');

/// A folder of its own with the path of a session file in it, removed at the end.
class Home {
 public:
  Home() {
    std::string name = "/tmp/purser-session-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~Home() { std::filesystem::remove_all(folder_); }
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;

  [[nodiscard]] std::string file() const { return folder_ + "/session"; }
  [[nodiscard]] std::string other() const { return folder_ + "/other"; }
  [[nodiscard]] size_t files() const {
    const std::filesystem::directory_iterator all(folder_);
    return static_cast<size_t>(std::distance(begin(all), end(all)));
  }

 private:
  std::string folder_;
};

void Put(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

}  // namespace

TEST_CASE("What is kept is read for the same socket, by its user alone, and goes") {
  const Home home;
  const SessionFile kept(home.file());
  CHECK(kept.Read(kSocket).empty());
  const mode_t before = umask(0);
  REQUIRE(kept.Write(kSocket, "an older one").has_value());
  REQUIRE(kept.Write(kSocket, kSession).has_value());
  umask(before);
  struct stat status{};
  REQUIRE(stat(home.file().c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  CHECK(kept.Read(kSocket) == kSession);
  CHECK(home.files() == 1);  // nothing is left beside it
  kept.Remove();
  kept.Remove();
  CHECK(kept.Read(kSocket).empty());
  CHECK(home.files() == 0);
}

TEST_CASE("What another could have written or read, or is of another daemon, is no session") {
  const std::string good = std::string(R"({"socket":")") + kSocket + R"(","session":"s"})";
  struct Row {
    std::string why;
    std::function<void(const Home&)> spoil;
  };
  // clang-format off
  const Row rows[] = {
      {"others may read it",        [](const Home& h) { chmod(h.file().c_str(), 0640); }},
      {"others may write it",       [](const Home& h) { chmod(h.file().c_str(), 0602); }},
      {"a link to a good one",      [](const Home& h) { rename(h.file().c_str(), h.other().c_str());
                                                        REQUIRE(symlink(h.other().c_str(), h.file().c_str()) == 0); }},
      {"a folder",                  [](const Home& h) { unlink(h.file().c_str()); mkdir(h.file().c_str(), 0700); }},
      {"a pipe, which nobody waits for", [](const Home& h) { unlink(h.file().c_str()); mkfifo(h.file().c_str(), 0600); }},
      {"another daemon's",          [](const Home& h) { Put(h.file(), R"({"socket":"/run/other/admin/sock","session":"s"})"); }},
      {"of no daemon",              [](const Home& h) { Put(h.file(), R"({"session":"s"})"); }},
      {"no session",                [](const Home& h) { Put(h.file(), std::string(R"({"socket":")") + kSocket + "\"}"); }},
      {"a number",                  [](const Home& h) { Put(h.file(), std::string(R"({"socket":")") + kSocket + R"(","session":7})"); }},
      {"a member twice",            [&](const Home& h) { Put(h.file(), good.substr(0, good.size() - 1) + R"(,"session":"t"})"); }},
      {"cut off",                   [&](const Home& h) { Put(h.file(), good.substr(0, good.size() - 1)); }},
      {"a list",                    [](const Home& h) { Put(h.file(), "[]"); }},
      {"nothing",                   [](const Home& h) { Put(h.file(), ""); }},
      {"longer than one is",        [&](const Home& h) { Put(h.file(), good + std::string(1024, ' ')); }},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    const Home home;
    Put(home.file(), good);
    REQUIRE(chmod(home.file().c_str(), 0600) == 0);
    REQUIRE(SessionFile(home.file()).Read(kSocket) == "s");
    row.spoil(home);
    CHECK(SessionFile(home.file()).Read(kSocket).empty());
  }
}

TEST_CASE("Another user's file is no session") {
  if (geteuid() != 0) return;
  const Home home;
  REQUIRE(SessionFile(home.file()).Write(kSocket, kSession).has_value());
  REQUIRE(chown(home.file().c_str(), 61031, 61031) == 0);
  CHECK(SessionFile(home.file()).Read(kSocket).empty());
}

TEST_CASE("What cannot be kept is said, and leaves what there was") {
  const Home home;
  const SessionFile kept(home.file());
  REQUIRE(kept.Write(kSocket, kSession).has_value());
  const auto long_one = kept.Write(std::string(1024, 'p'), kSession);
  REQUIRE_FALSE(long_one.has_value());
  CHECK(long_one.error().code == broker::ErrorCode::kUnavailable);
  CHECK(kept.Read(kSocket) == kSession);
  const auto nowhere = SessionFile(home.other() + "/session").Write(kSocket, kSession);
  REQUIRE_FALSE(nowhere.has_value());
  CHECK(nowhere.error().detail.find(home.other()) != std::string::npos);
}

TEST_CASE("The environment may name another place") {
  const Home home;
  REQUIRE(setenv("PURSER_SESSION_FILE", home.other().c_str(), 1) == 0);
  REQUIRE(SessionFile().Write(kSocket, kSession).has_value());
  unsetenv("PURSER_SESSION_FILE");
  CHECK(SessionFile(home.other()).Read(kSocket) == kSession);
}
