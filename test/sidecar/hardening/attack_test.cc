// What somebody who has taken over a role cannot do, tried from inside each.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>

#include "sidecar/hardening/landlock.h"
#include "test/sidecar/dialer/loopback.h"
#include "test/sidecar/hardening/attempts.h"
#include "test/sidecar/hardening/victim.h"

namespace {

// Numbers, as no account is needed.
constexpr uid_t kOneUser = 64001;
constexpr uid_t kAnotherUser = 64002;

struct Users {
  User attacker;
  User owner;  // of the files and the victim
};

Users SameUser() {
  if (getuid() == 0) return {kOneUser, kOneUser};
  return {};
}

/// A state folder as purser has it, and somebody to attack.
class Scene {
 public:
  explicit Scene(Users users) : users_(users), victim_(users.owner) {
    std::string pattern = "/tmp/purser-attack-XXXXXX";
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    root_ = pattern;
    REQUIRE(chmod(root_.c_str(), 0755) == 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    unix_socket().copy(address.sun_path, sizeof(address.sun_path) - 1);
    listener_ = sidecar::ipc::Fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    REQUIRE(chmod(unix_socket().c_str(), 0666) == 0);
    REQUIRE(listen(listener_.get(), 64) == 0);
  }
  ~Scene() { std::filesystem::remove_all(root_); }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  /// One deed from fresh files. The ledger's own folder is `ledger`; nobody may touch the others'.
  Outcome Run(const std::string& role, const char* kind, size_t number) {
    const User ledger_owner = role.starts_with("ledger") ? users_.attacker : users_.owner;
    MakeFile("ledger", "segment", ledger_owner);
    MakeFile("state", "store.db", users_.owner);
    const std::string file =
        root_ + (role.starts_with("ledger") ? "/state/store.db" : "/ledger/segment");
    return RunAttacker(
        PURSER_ATTACKER, users_.attacker,
        {role, kind, std::to_string(number), root_ + "/ledger", std::to_string(victim_.pid()),
         Victim::Address(), file, role.starts_with("ledger") ? root_ + "/ledger/segment" : file,
         std::to_string(inet_.port()), unix_socket()});
  }

 private:
  std::string unix_socket() const { return root_ + "/socket"; }
  void MakeFile(const std::string& folder, const std::string& name, User owner) const {
    const std::string path = root_ + "/" + folder;
    std::filesystem::remove_all(path);
    REQUIRE(mkdir(path.c_str(), 0700) == 0);
    std::ofstream(path + "/" + name) << "content\n";
    if (!owner) return;
    REQUIRE(chown((path + "/" + name).c_str(), *owner, *owner) == 0);
    REQUIRE(chown(path.c_str(), *owner, *owner) == 0);
  }

  Users users_;
  Victim victim_;
  std::string root_;
  Listener inet_;
  sidecar::ipc::Fd listener_;
};

struct Row {
  std::string_view role;
  std::string_view attempt;
};

// What a role is there for.
constexpr Row kAllowed[] = {
    {"dialer", "connect to the network"},
    {"broker", "start a thread"},
    {"ledger", "start a thread"},
    {"dialer", "start a thread"},
};

// What only different users, or modes, keep from a role where the kernel has no Landlock.
constexpr Row kOpenWithoutLandlock[] = {
    {"ledger", "open a file that is not its own"},
    {"ledger", "append to it"},
    {"ledger", "list its folder"},
    {"ledger", "read another process's memory through /proc"},  // a dumpable one: no role is
    {"dialer", "open a file that is not its own"},
    {"dialer", "list its folder"},
};

bool Holds(std::span<const Row> rows, std::string_view role, std::string_view attempt) {
  return std::ranges::any_of(
      rows, [&](const Row& row) { return row.role == role && row.attempt == attempt; });
}

/// `suffix` is added to the role's name (attacker.cc).
void NoAttemptWorks(const Users& users, const std::string& suffix = "") {
  const bool landlock = suffix.empty() && sidecar::hardening::LandlockAbi() > 0;
  Scene scene(users);
  for (const std::string role : {"window", "broker", "ledger", "dialer"}) {
    for (size_t i = 0; i < AllAttempts().size(); ++i) {
      const std::string_view name = AllAttempts()[i].name;
      const bool same_user = users.attacker == users.owner;
      if (!landlock && same_user && Holds(kOpenWithoutLandlock, role, name)) continue;
      CAPTURE("a " + role + " can: " + std::string(name));
      CHECK(scene.Run(role + suffix, "attempt", i) ==
            (Holds(kAllowed, role, name) ? Outcome::kWorked : Outcome::kRefused));
    }
  }
}

}  // namespace

TEST_CASE("every attempt is real: a process that is not hardened succeeds") {
  Scene scene(SameUser());
  for (size_t i = 0; i < AllAttempts().size(); ++i) {
    if (!AllAttempts()[i].works_unhardened) continue;
    CAPTURE(AllAttempts()[i].name);
    CHECK(scene.Run("none", "attempt", i) == Outcome::kWorked);
  }
}

TEST_CASE("no role can do what only others may, though all run as one user") {
  NoAttemptWorks(SameUser());
}

TEST_CASE("no role can do what only others may, as users of their own") {
  if (getuid() != 0) {
    MESSAGE("needs root: not run");
    return;
  }
  NoAttemptWorks({kOneUser, kAnotherUser});
}

TEST_CASE("where the kernel has no Landlock, the filter alone refuses all but a few") {
  NoAttemptWorks(SameUser(), "-filter");
}

TEST_CASE("a supervisor cannot do what neither it nor any role ever does") {
  Scene scene(SameUser());
  constexpr std::string_view kForbidden[] = {"trace another process",
                                             "let itself be traced",
                                             "read another process's memory",
                                             "write another process's memory",
                                             "use io_uring",
                                             "take another process's descriptors",
                                             "use userfaultfd",
                                             "use bpf",
                                             "use perf events",
                                             "mount",
                                             "enter a new user namespace",
                                             "chroot",
                                             "use keyrings"};
  size_t tried = 0;
  for (size_t i = 0; i < AllAttempts().size(); ++i) {
    if (std::ranges::find(kForbidden, AllAttempts()[i].name) == std::end(kForbidden)) continue;
    ++tried;
    CAPTURE(AllAttempts()[i].name);
    CHECK(scene.Run("supervisor", "attempt", i) == Outcome::kRefused);
  }
  CHECK(tried == std::size(kForbidden));
}

TEST_CASE("every role can still do its work") {
  Scene scene(SameUser());
  for (const std::string role : {"window", "broker", "ledger", "dialer", "supervisor"}) {
    for (size_t i = 0; i < AllDuties().size(); ++i) {
      if (!AllDuties()[i].roles.contains(role)) continue;
      CAPTURE("a " + role + " can: " + std::string(AllDuties()[i].name));
      CHECK(scene.Run(role, "duty", i) == Outcome::kWorked);
    }
  }
}
