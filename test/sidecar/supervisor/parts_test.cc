// The pure parts of the supervisor, and the small ones.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>

#include "harness.h"
#include "sidecar/supervisor/backoff.h"
#include "sidecar/supervisor/cgroup.h"
#include "sidecar/supervisor/findings.h"
#include "sidecar/supervisor/fixed_answer.h"
#include "sidecar/supervisor/layout.h"
#include "sidecar/supervisor/listener.h"
#include "sidecar/supervisor/loaded_config.h"
#include "sidecar/supervisor/notify.h"
#include "sidecar/supervisor/options.h"
#include "sidecar/supervisor/reload_rules.h"
#include "sidecar/supervisor/token_bucket.h"
#include "test/fakes/fake_clock.h"

using namespace sidecar::supervisor;
using namespace std::chrono_literals;
using supervisor_test::Folder;

TEST_CASE("The system unit is the first that is no slice on the full path") {
  // clang-format off
  struct Row { const char* why; const char* path; const char* want; };
  const Row rows[] = {
      {"a system service",                    "/system.slice/helpdesk.service",                        "helpdesk.service"},
      {"a group of its own below it",         "/system.slice/helpdesk.service/worker",                 "helpdesk.service"},
      {"an instance in a slice of its own",   "/system.slice/system-bot.slice/bot@1.service",          "bot@1.service"},
      {"a name that systemd escaped",         "/system.slice/_cpu.service",                            "cpu.service"},
      {"a user's unit of the same name",      "/user.slice/user-1000.slice/user@1000.service/app.slice/helpdesk.service", "user@1000.service"},
      {"a user's delegated group so named",   "/user.slice/user-1000.slice/user@1000.service/helpdesk.service", "user@1000.service"},
      {"a login session",                     "/user.slice/user-1000.slice/session-3.scope",           "session-3.scope"},
      {"a group that only looks like it",     "/docker/helpdesk.service",                              ""},
      {"a unit that was removed",             "/system.slice/helpdesk.service (deleted)",              ""},
      {"outside our own cgroup namespace",    "/../system.slice/helpdesk.service",                     ""},
      {"the root",                            "/",                                                     ""},
      {"no path",                             "helpdesk.service",                                      ""},
      {"nothing",                             "",                                                      ""},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(std::string(row.why));
    CHECK(SystemUnitOf(row.path) == row.want);
  }
}

TEST_CASE("The cgroup path comes from the hierarchy that systemd uses") {
  // clang-format off
  struct Row { const char* why; const char* text; const char* want; };
  const Row rows[] = {
      {"unified alone",               "0::/system.slice/a.service\n",                            "/system.slice/a.service"},
      {"hybrid, both",                "1:name=systemd:/system.slice/a.service\n0::/system.slice/a.service\n", "/system.slice/a.service"},
      {"unified not in use",          "1:name=systemd:/system.slice/a.service\n0::/\n",          "/system.slice/a.service"},
      {"another hierarchy's path",    "3:cpu,cpuacct:/evil.service\n0::/b\n",                    "/b"},
      {"a colon in the name",         "0::/x:1:name=systemd:/y\n",                               "/x:1:name=systemd:/y"},
      {"legacy without systemd",      "2:cpu:/x\n",                                              ""},
      {"no final line feed",          "0::/b",                                                   "/b"},
      {"not such a file",             "hello\n::\n0:/b\n",                                       ""},
      {"nothing",                     "",                                                        ""},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(std::string(row.why));
    CHECK(ParseCgroupPath(row.text) == row.want);
  }
}

TEST_CASE("A role that dies young waits twice as long each time, one that worked does not") {
  const FakeClock clock;
  auto now = clock.Now();
  Backoff backoff;
  CHECK(backoff.Died(now) == Backoff::kFirst);
  CHECK(backoff.Died(now) == Backoff::kFirst * 2);
  backoff.Started(now);
  CHECK(backoff.Died(now + Backoff::kStableAfter - 1ms) == Backoff::kFirst * 4);
  for (int i = 0; i < 20; ++i) backoff.Died(now);
  CHECK(backoff.Died(now) == Backoff::kLongest);
  backoff.Started(now);
  CHECK(backoff.Died(now) == Backoff::kLongestAfterWork);
  backoff.Started(now);
  CHECK(backoff.Died(now + Backoff::kStableAfter) == Backoff::kFirst);
}

TEST_CASE("A bucket gives its burst at once and then its rate") {
  FakeClock clock;
  TokenBucket bucket(/*per_second=*/10, /*burst=*/3);
  for (int i = 0; i < 3; ++i) CHECK(bucket.Take(clock.Now()));
  CHECK_FALSE(bucket.Take(clock.Now()));
  CHECK(bucket.UntilNext(clock.Now()) == 100ms);
  clock.Advance(100ms);
  CHECK(bucket.UntilNext(clock.Now()) == 0ms);
  CHECK(bucket.Take(clock.Now()));
  CHECK_FALSE(bucket.Take(clock.Now()));
  clock.Advance(1h);
  for (int i = 0; i < 3; ++i) CHECK(bucket.Take(clock.Now()));
  CHECK_FALSE(bucket.Take(clock.Now()));
}

TEST_CASE("A fixed answer is whole HTTP and says whether to come back") {
  const std::string refused = FixedAnswer(broker::Reason::kPeerRefused);
  CHECK(refused.starts_with("HTTP/1.1 403 Forbidden\r\n"));
  CHECK(refused.find("Retry-After") == std::string::npos);
  const std::string body = refused.substr(refused.find("\r\n\r\n") + 4);
  CHECK(refused.find("Content-Length: " + std::to_string(body.size()) + "\r\n") !=
        std::string::npos);
  CHECK(body.find("\"retryable\":false") != std::string::npos);
  const std::string busy = FixedAnswer(broker::Reason::kOverloaded);
  CHECK(busy.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  CHECK(busy.find("Retry-After: 1\r\n") != std::string::npos);
}

TEST_CASE("Findings are understood whole or not at all") {
  CHECK(ParseFindings("[]")->empty());
  const auto one = ParseFindings(R"([{"name":"n","what":"w","remedy":"r"}])");
  REQUIRE(one.has_value());
  CHECK(one->front() == Finding{"n", "w", "r"});
  for (const char* text :
       {"", "{}", "null", "[1]", R"([{"name":"n"}])", R"([{"name":"n","what":"w","remedy":1}])",
        R"([{"name":"n","what":"w","remedy":"r","more":""}])", "[] []"}) {
    CAPTURE(std::string(text));
    CHECK_FALSE(ParseFindings(text).has_value());
  }
}

TEST_CASE("What cannot change while purserd runs says that it needs a restart") {
  using broker::policy::Config;
  const Config before;
  Config same = before;
  same.agents["new"] = {};
  same.network.proxy = "http://proxy:3128";
  same.admin.operator_gids = {1};
  CHECK(WhyRestartIsNeeded(before, same).empty());
  const auto changed = [&before](auto change) {
    Config after = before;
    change(after);
    return WhyRestartIsNeeded(before, after);
  };
  CHECK(changed([](Config& c) { c.instance.name = "x"; }).starts_with("[instance] cannot change"));
  CHECK(changed([](Config& c) { c.tenant.id = "x"; }).starts_with("[tenant]"));
  CHECK(changed([](Config& c) { c.tenant.authority = "x"; }).starts_with("[tenant]"));
  CHECK(changed([](Config& c) { c.paths.state = "x"; }).starts_with("[paths]"));
  CHECK(changed([](Config& c) { c.paths.run = "x"; }).starts_with("[paths]"));
  CHECK(changed([](Config& c) { c.seal.path = "x"; }).starts_with("[seal]"));
  CHECK(changed([](Config& c) { c.admin.auditor_gids = {1}; }).starts_with("[admin] auditors"));
  CHECK(changed([](Config& c) { c.hardening.strict = false; }).starts_with("[hardening]"));
  CHECK(changed([](Config& c) { c.hardening.allow_same_uid = true; }).starts_with("[hardening]"));
}

TEST_CASE("The command line and the places of the environment") {
  const auto nothing = [](const std::string&) -> std::optional<std::string> {
    return std::nullopt;
  };
  const auto all = [](const std::string& name) -> std::optional<std::string> {
    if (name == "PURSER_CONFIG") return "/env.toml";
    if (name == "JOURNAL_STREAM") return "8:12345";
    if (name == "WATCHDOG_USEC") return "30000000";
    return std::nullopt;
  };
  CHECK(ParseOptions({}, nothing)->config == kDefaultConfig);
  CHECK(ParseOptions({}, all)->config == "/env.toml");
  CHECK(ParseOptions({}, all)->watchdog == 30s);
  CHECK(ParseOptions({"--config", "/a"}, all)->config == "/a");
  CHECK(ParseOptions({"--config=/b", "--libexec", "/l"}, all)->libexec == "/l");
  CHECK(RoleEnvironment(*ParseOptions({}, all)) ==
        std::vector<std::string>{"LD_BIND_NOW=1", "JOURNAL_STREAM=8:12345"});
  CHECK(RoleEnvironment(*ParseOptions({"--foreground"}, all)) ==
        std::vector<std::string>{"LD_BIND_NOW=1"});
  const auto odd = [](const std::string& name) -> std::optional<std::string> {
    return name == "JOURNAL_STREAM" ? "8:1\nLD_PRELOAD=x" : "-1";
  };
  CHECK(ParseOptions({"--config=/a"}, odd)->journal_stream.empty());
  CHECK(ParseOptions({"--config=/a"}, odd)->watchdog == 0s);
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"--config"}, {"--config="}, {"--frobnicate"}, {"extra"}, {"--libexec"}, {""}}) {
    CHECK_FALSE(ParseOptions(arguments, nothing).has_value());
  }
}

TEST_CASE("The service manager hears of each state, by path and in the abstract namespace") {
  const Folder folder;
  for (const std::string& name : {folder / "notify", "@purser-test-" + std::to_string(getpid())}) {
    CAPTURE(name);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(name, address.sun_path);
    if (name.starts_with('@')) address.sun_path[0] = '\0';
    const sidecar::ipc::Fd manager(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    REQUIRE(bind(manager.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    const auto next = [&manager] {
      std::string text(256, '\0');
      const ssize_t got = recv(manager.get(), text.data(), text.size(), MSG_DONTWAIT);
      text.resize(got > 0 ? static_cast<size_t>(got) : 0);
      return text;
    };
    Notifier notifier(name);
    notifier.Ready();
    CHECK(next() == "READY=1");
    notifier.Reloading();
    CHECK(next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    notifier.Alive();
    CHECK(next() == "WATCHDOG=1");
    notifier.Stopping();
    CHECK(next() == "STOPPING=1");
  }
  for (const char* none : {"", "relative", "vsock:2:1234"}) Notifier(none).Ready();
}

TEST_CASE("A socket replaces the one that an earlier run left, and goes with its listener") {
  const Folder folder;
  const std::string path = folder / "sock";
  {
    auto first = Listener::Open(path, {});
    REQUIRE(first.has_value());
    auto second = Listener::Open(path, {});
    REQUIRE(second.has_value());
    struct stat status{};
    REQUIRE(stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0660);
  }
  CHECK(access(path.c_str(), F_OK) != 0);
  folder.Write("sock", "not a socket");
  CHECK_FALSE(Listener::Open(path, {}).has_value());
  CHECK(folder.Read("sock") == "not a socket");
  CHECK_FALSE(Listener::Open(folder / std::string(200, 'x'), {}).has_value());
}

TEST_CASE("A user may connect to its socket, and change nothing about it") {
  if (geteuid() != 0) return;
  constexpr uint32_t kAgent = 61001;
  const Folder folder;
  const std::string path = folder / "sock";
  const auto listener = Listener::Open(path, {kAgent, {}});
  REQUIRE(listener.has_value());
  // 1: connected, 2: changed its mode, as `uid`.
  const auto done_as = [&path](uint32_t uid) {
    const pid_t child = fork();
    if (child == 0) {
      if (setgroups(0, nullptr) != 0 || setresgid(uid, uid, uid) != 0 ||
          setresuid(uid, uid, uid) != 0) {
        _exit(9);
      }
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      path.copy(address.sun_path, sizeof(address.sun_path) - 1);
      const int peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const auto* at = reinterpret_cast<const sockaddr*>(&address);
      const int connected = connect(peer, at, sizeof(address)) == 0 ? 1 : 0;
      const int changed = chmod(path.c_str(), 0666) == 0 ? 2 : 0;
      _exit(connected | changed);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    return WEXITSTATUS(status);
  };
  CHECK(done_as(kAgent) == 1);
  CHECK(done_as(kAgent + 1) == 0);
}

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

TEST_CASE("A key that others can read is no key") {
  const Folder folder;
  folder.Write("kek", "00");
  const std::string path = folder / "kek";
  // clang-format off
  struct Row { const char* why; mode_t mode; broker::policy::Seal seal; std::string credentials; bool opens; };
  const Row rows[] = {
      {"a file for its owner alone",       0400, {"file", path},                  "",            true},
      {"a file that its group can read",   0440, {"file", path},                  "",            false},
      {"a file that everybody can read",   0404, {"file", path},                  "",            false},
      {"a file that is not there",         0400, {"file", folder / "absent"},     "",            false},
      {"a folder",                         0400, {"file", folder.path()},         "",            false},
      {"systemd's, with its access list",  0440, {"systemd-credential", "kek"},   folder.path(), true},
      {"systemd's, readable by everybody", 0444, {"systemd-credential", "kek"},   folder.path(), false},
      {"systemd's, without systemd",       0400, {"systemd-credential", "kek"},   "",            false},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(std::string(row.why));
    REQUIRE(chmod(path.c_str(), row.mode) == 0);
    const auto key = OpenSealKey(row.seal, row.credentials);
    CHECK(key.has_value() == row.opens);
    if (key) CHECK(key->valid());
  }
  const auto none = OpenSealKey({"passphrase", ""}, "");
  REQUIRE(none.has_value());
  CHECK_FALSE(none->valid());
}
