#include "sidecar/supervisor/attest.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "harness.h"
#include "sidecar/supervisor/listener.h"

using namespace sidecar::supervisor;
using sidecar::ipc::Fd;
using supervisor_test::Folder;

namespace {

constexpr PidfdFrom kWays[] = {PidfdFrom::kSocketElsePid, PidfdFrom::kSocketOnly,
                               PidfdFrom::kPidOnly};

// A forked process that connects and then does `then`; `socket` is our end.
struct Connector {
  Connector() = default;
  Connector(Connector&& other) noexcept
      : pid(std::exchange(other.pid, -1)), socket(std::move(other.socket)) {}
  pid_t pid = -1;
  Fd socket;
  ~Connector() {
    if (pid < 0) return;
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
};

template <class Then>
Connector Connect(const Folder& folder, Then then) {
  const std::string path = folder / "sock";
  auto listener = Listener::Open(path, {});
  REQUIRE(listener.has_value());
  chmod(path.c_str(), 0666);
  Connector connector;
  connector.pid = fork();
  if (connector.pid == 0) {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0) _exit(1);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(path, address.sun_path);
    then(fd, [&] {
      if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) _exit(1);
    });
    _exit(0);
  }
  pollfd waiting{listener->fd(), POLLIN, 0};
  poll(&waiting, 1, -1);
  connector.socket = Fd(accept4(listener->fd(), nullptr, nullptr, SOCK_CLOEXEC));
  return connector;
}

[[noreturn]] void Stay() {
  while (true) pause();
}

// Waits, without looking at a clock, until `pid` is dead and, if `reaped`, gone.
void AwaitEnd(pid_t pid, bool reaped) {
  siginfo_t how{};
  waitid(P_PID, static_cast<id_t>(pid), &how, WEXITED | (reaped ? 0 : WNOWAIT));
}

}  // namespace

TEST_CASE("A living peer's facts are those of its process, by either way to a pidfd") {
  for (const PidfdFrom way : kWays) {
    const Folder folder;
    const Connector connector = Connect(folder, [](int, auto connect_now) {
      if (geteuid() == 0) {
        const gid_t group = 61100;
        (void)setgroups(1, &group);
        (void)!setresgid(61001, 61001, 61001);
        (void)!setresuid(61001, 61001, 61001);
      }
      connect_now();
      Stay();
    });
    Peer peer;
    const auto attested = Attestor(way).Attest(connector.socket.get(), {}, &peer);
    REQUIRE_MESSAGE(attested.has_value(), (attested ? "" : attested.error().detail));
    const uint32_t uid = geteuid() == 0 ? 61001 : geteuid();
    CHECK(peer.facts.uid == uid);
    CHECK(peer.facts.pid == connector.pid);
    CHECK(peer.pidfd.valid());
    CHECK(std::ranges::find(peer.facts.groups, peer.facts.gid) != peer.facts.groups.end());
    if (geteuid() == 0) {
      CHECK(std::ranges::find(peer.facts.groups, 61100) != peer.facts.groups.end());
    }
    CHECK(peer.facts.cgroup.starts_with("/"));
  }
}

TEST_CASE("A connector that is dead gets nothing, reaped or not, by either way") {
  for (const PidfdFrom way : kWays) {
    for (const bool reaped : {false, true}) {
      CAPTURE(reaped);
      const Folder folder;
      const Connector connector = Connect(folder, [](int, auto connect_now) { connect_now(); });
      AwaitEnd(connector.pid, reaped);
      Peer peer;
      const auto attested = Attestor(way).Attest(connector.socket.get(), {}, &peer);
      REQUIRE_FALSE(attested.has_value());
      CHECK(attested.error().code == broker::ErrorCode::kDenied);
      CHECK(attested.error().detail == "the peer has exited");
    }
  }
}

TEST_CASE("A descriptor left to a child speaks for its dead connector, and is refused") {
  for (const PidfdFrom way : kWays) {
    const Folder folder;
    // The connector leaves the socket to a child and dies; the child ends with the pipe.
    int until[2];
    REQUIRE(pipe2(until, O_CLOEXEC) == 0);
    const Connector connector = Connect(folder, [&until](int, auto connect_now) {
      connect_now();
      if (fork() == 0) {
        close(until[1]);
        char byte = 0;
        (void)!read(until[0], &byte, 1);
      }
    });
    AwaitEnd(connector.pid, true);
    Peer peer;
    CHECK_FALSE(Attestor(way).Attest(connector.socket.get(), {}, &peer).has_value());
    close(until[0]);
    close(until[1]);
  }
}

TEST_CASE("A peer that became another user after it connected is refused") {
  if (geteuid() != 0) return;
  for (const PidfdFrom way : kWays) {
    const Folder folder;
    int told[2];
    REQUIRE(pipe2(told, O_CLOEXEC) == 0);
    const Connector connector = Connect(folder, [&told](int, auto connect_now) {
      connect_now();
      (void)!setresuid(61002, 61002, 61002);
      (void)!write(told[1], "x", 1);
      Stay();
    });
    char byte = 0;
    REQUIRE(read(told[0], &byte, 1) == 1);
    Peer peer;
    const auto attested = Attestor(way).Attest(connector.socket.get(), {}, &peer);
    REQUIRE_FALSE(attested.has_value());
    CHECK(attested.error().detail == "the peer changed its user");
    close(told[0]);
    close(told[1]);
  }
}

TEST_CASE("A peer of a pid namespace that we do not see is its user and groups, and no process") {
  if (geteuid() != 0) return;
  const Folder folder;
  const Connector connector = Connect(folder, [](int, auto connect_now) {
    const gid_t group = 61003;
    if (setgroups(1, &group) != 0 || setresgid(61001, 61001, 61001) != 0 ||
        setresuid(61001, 61001, 61001) != 0)
      _exit(1);
    connect_now();
    Stay();
  });
  int told[2];
  REQUIRE(pipe2(told, O_CLOEXEC) == 0);
  // Attests from within a namespace of its own: there the connector has no number.
  const pid_t inside = fork();
  if (inside == 0) {
    if (unshare(CLONE_NEWPID) != 0) _exit(0);  // root without CAP_SYS_ADMIN: nothing is told
    if (const pid_t first = fork(); first != 0) {
      waitpid(first, nullptr, 0);
      _exit(0);
    }
    Peer peer;
    const auto attested =
        Attestor().Attest(connector.socket.get(), {"/proc/self/exe", true}, &peer);
    const auto& facts = peer.facts;
    std::string said = attested ? "attested" : attested.error().detail;
    said += " pid " + std::to_string(facts.pid) + " uid " + std::to_string(facts.uid) + " groups";
    for (const uint32_t group : facts.groups) said += " " + std::to_string(group);
    if (peer.pidfd.valid()) said += " pidfd";
    if (facts.loginuid) said += " loginuid";
    if (facts.exe_matches) said += " exe compared";
    said += facts.cgroup + facts.systemd_unit + facts.exe_path + facts.exe_sha256;
    (void)!write(told[1], said.data(), said.size());
    _exit(0);
  }
  close(told[1]);
  std::string said(4096, '\0');
  const ssize_t got = read(told[0], said.data(), said.size());
  close(told[0]);
  AwaitEnd(inside, true);
  said.resize(got > 0 ? static_cast<size_t>(got) : 0);
  if (said.empty()) return;
  CHECK(said == "attested pid 0 uid 61001 groups 61003 61001");
}

TEST_CASE("exe compares device and inode, and hashes only what root alone can write") {
  const Folder folder;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  const Connector connector = Connect(folder, [](int, auto connect_now) {
    connect_now();
    Stay();
  });
  Attestor attestor;
  // clang-format off
  struct Row { const char* why; std::string path; std::optional<bool> want; };
  const Row rows[] = {
      {"the file that runs",            self,                            true},
      {"a link to it",                  folder / "link",                 true},
      {"a copy of it",                  folder / "copy",                 false},
      {"a file that is not there",      folder / "absent",               std::nullopt},
      {"no file configured",            "",                              std::nullopt},
  };
  // clang-format on
  std::filesystem::create_symlink(self, folder / "link");
  std::filesystem::copy_file(self, folder / "copy");
  for (const Row& row : rows) {
    CAPTURE(std::string(row.why));
    Peer peer;
    REQUIRE(attestor.Attest(connector.socket.get(), {row.path, false}, &peer).has_value());
    CHECK(peer.facts.exe_matches == row.want);
    CHECK(peer.facts.exe_path == self);
    CHECK(peer.facts.exe_sha256.empty());
  }
}

TEST_CASE("A hash is taken once for each content, and never of what others can write") {
  const std::string proc = "/proc/self";
  const Fd self(open(proc.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  ExeFacts exe_facts;
  broker::policy::Facts facts;
  struct stat own{};
  REQUIRE(stat("/proc/self/exe", &own) == 0);
  exe_facts.Read(self.get(), "", true, &facts);
  const bool may = own.st_uid == 0 && (own.st_mode & (S_IWGRP | S_IWOTH)) == 0;
  CHECK(facts.exe_sha256.size() == (may ? 64 : 0));
  const std::string first = facts.exe_sha256;
  exe_facts.Read(self.get(), "", true, &facts);
  CHECK(facts.exe_sha256 == first);
  CHECK(exe_facts.hashed() == (may ? 1 : 0));
  if (!may || geteuid() != 0) return;
  const auto before = std::filesystem::status("/proc/self/exe").permissions();
  std::filesystem::permissions("/proc/self/exe", std::filesystem::perms::others_write,
                               std::filesystem::perm_options::add);
  exe_facts.Read(self.get(), "", true, &facts);
  std::filesystem::permissions("/proc/self/exe", before);
  CHECK(facts.exe_sha256.empty());
}
