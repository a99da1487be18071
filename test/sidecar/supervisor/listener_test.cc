#include "sidecar/supervisor/listener.h"

#include <doctest/doctest.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

using namespace sidecar::supervisor;
using supervisor_test::Folder;

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
  const auto open_to_all = Listener::Open(path, {{}, {}, /*everybody=*/true});
  REQUIRE(open_to_all.has_value());
  CHECK(done_as(kAgent + 1) == 1);
}
