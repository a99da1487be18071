#include "sidecar/supervisor/notify.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>

#include "harness.h"

using namespace sidecar::supervisor;
using supervisor_test::Folder;

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
