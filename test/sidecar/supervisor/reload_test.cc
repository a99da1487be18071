#include "sidecar/supervisor/reload.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "harness.h"

using namespace sidecar::supervisor;
using namespace supervisor_test;
using sidecar::ipc::Fd;

namespace {

constexpr uint32_t kAgentUid = 61001;
uint32_t OwnUid() { return geteuid() == 0 ? kAgentUid : geteuid(); }
Client Friend(const std::string& socket) {
  return Client(socket, geteuid() == 0 ? kAgentUid : Client::kSameUser);
}

nlohmann::json ReloadAndWait(World& world, bool dry_run = false) {
  std::string report;
  world.supervisor->BeginReload(dry_run, [&report](const std::string& text) { report = text; });
  REQUIRE(world.Until([&report] { return !report.empty(); }));
  return nlohmann::json::parse(report);
}

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

}  // namespace

TEST_CASE("A reload opens the sockets of new agents and ends those of removed ones") {
  World world(Agent("helpdesk", OwnUid()) + Agent("leaving", OwnUid()));
  REQUIRE(world.Start().has_value());
  Client stays = Friend(world.Socket("helpdesk"));
  Client leaves = Friend(world.Socket("leaving"));
  CHECK(world.Until([&] { return stays.Has(" is uid") && leaves.Has(" is uid"); }));

  world.Configure(Agent("helpdesk", OwnUid()) + Agent("joining", OwnUid()));
  const auto report = ReloadAndWait(world);
  CHECK(report["ok"] == true);
  CHECK(report["new_sha256"] != report["old_sha256"]);
  CHECK_FALSE(report["gained"].empty());
  CHECK_FALSE(report["lost"].empty());
  CHECK(world.Until([&] { return leaves.Over(); }));
  CHECK_FALSE(stays.Over());
  CHECK_FALSE(Exists(world.Socket("leaving")));
  Client joins = Friend(world.Socket("joining"));
  CHECK(world.Until([&] { return joins.Has("joining is uid"); }));
  CHECK(world.Logged("ledger", "entry 4   new_sha256="));
  CHECK(world.Logged("broker", "22 ", 2));
  CHECK(world.Logged("dialer", "22 ", 2));
}

TEST_CASE("A socket goes to whom the new configuration names, or stays whole with whom it was") {
  if (geteuid() != 0) return;  // needs two users
  constexpr uint32_t kNext = kAgentUid + 1;
  World world(Agent("helpdesk", kAgentUid));
  REQUIRE(world.Start().has_value());
  const std::string socket = world.Socket("helpdesk");
  Client before(socket, kAgentUid);
  CHECK(world.Until([&] { return before.Has(" is uid"); }));

  // What stands in the way of the one socket keeps the other, which was ready, from its place.
  world.folder.Write("run/admin/next", "a file");
  const std::string admin = "[admin]\noperators = [\"group:61005\"]\n";
  world.Configure(Agent("helpdesk", kNext), admin);
  const auto refused = ReloadAndWait(world);
  CHECK(refused["ok"] == false);
  CHECK(refused["errors"].dump().find("run/admin/next") != std::string::npos);
  CHECK_FALSE(Exists(world.folder / "run/agents/helpdesk/next"));
  Client still(socket, kAgentUid);
  CHECK(world.Until([&] { return still.Has(" is uid"); }));
  Client too_early(socket, kNext);
  CHECK(world.Until([&] { return too_early.Has("no connection"); }));

  world.folder.Remove("run/admin/next");
  CHECK(ReloadAndWait(world)["ok"] == true);
  CHECK(world.Until([&] { return before.Over() && still.Over(); }));
  Client too_late(socket, kAgentUid);
  CHECK(world.Until([&] { return too_late.Has("no connection"); }));
  // The window that served the user before is gone: the new one gets another.
  CHECK(world.Until([&] { return world.supervisor->windows().empty(); }));
  Client after(socket, kNext);
  CHECK(world.Until([&] { return after.Has(" is uid"); }));
  Client stranger(world.AdminSocket(), kNext, kNext);
  CHECK(world.Until([&] { return stranger.Has("no connection"); }));
  Client agent(world.AdminSocket(), kNext, 61005);
  CHECK(world.Until([&] { return agent.Has("peer_refused"); }));
  Client operator_now(world.AdminSocket(), kNext + 1, 61005);
  CHECK(world.Until([&] { return operator_now.Has(" is uid"); }));
  CHECK_FALSE(Exists(world.folder / "run/agents/helpdesk/next"));
  CHECK_FALSE(Exists(world.folder / "run/admin/next"));
}

TEST_CASE("Who holds on to a replaced socket is let in no more, and holds up nobody") {
  World world(Agent("helpdesk", OwnUid()));
  REQUIRE(world.Start().has_value());
  const Fd kept(open(world.Socket("helpdesk").c_str(), O_PATH | O_CLOEXEC));
  REQUIRE(kept.valid());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::ranges::copy("/proc/self/fd/" + std::to_string(kept.get()), address.sun_path);
  const auto connect_once = [&address] {
    const Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    return connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 ? 0
                                                                                          : errno;
  };
  REQUIRE(connect_once() == 0);
  // Together faster than they could be turned away one by one, until nobody listens there.
  std::vector<std::jthread> tireless;
  for (int i = 0; i < 4; ++i) {
    tireless.emplace_back([&](const std::stop_token& stop) {
      while (!stop.stop_requested() && connect_once() != ECONNREFUSED) continue;
    });
  }
  world.Configure(Agent("helpdesk", OwnUid() + 1));
  CHECK(ReloadAndWait(world)["ok"] == true);
  for (std::jthread& each : tireless) each.join();
  CHECK(connect_once() == ECONNREFUSED);
}

TEST_CASE("A connection whose peer the new selectors would refuse is closed, window or not") {
  World world(Agent("helpdesk", OwnUid()));
  REQUIRE(world.Start().has_value());
  Client client = Friend(world.Socket("helpdesk"));
  CHECK(world.Until([&] { return client.Has(" is uid"); }));
  // A window that does not read cannot keep it open.
  const pid_t window = world.supervisor->windows().running().front()->pid();
  kill(window, SIGSTOP);
  world.Configure(Agent("helpdesk", OwnUid(), "cgroup = \"/elsewhere\"\n"));
  CHECK(ReloadAndWait(world)["ok"] == true);
  CHECK(world.Until([&] { return client.Over(); }));
  CHECK(world.supervisor->door().connections().size() == 0);
  kill(window, SIGCONT);
  // Whom it served may have taken it over.
  CHECK(world.Until([&] { return world.supervisor->windows().empty(); }));
}

TEST_CASE("An agent whose selectors change gets a new window, and is attested anew") {
  World world(Agent("helpdesk", OwnUid()) + Agent("other", OwnUid()));
  REQUIRE(world.Start().has_value());
  const auto window_of = [&](const std::string& agent) {
    const RoleProcess* window = world.supervisor->windows().Get(agent);
    return window == nullptr ? -1 : window->pid();
  };
  Client client = Friend(world.Socket("helpdesk"));
  Client unchanged = Friend(world.Socket("other"));
  CHECK(world.Until([&] { return client.Has(" is uid") && unchanged.Has(" is uid"); }));
  const pid_t before = window_of("helpdesk");
  // The clients are forks of this process: the selector holds for them, once they are asked.
  const std::string own = std::filesystem::read_symlink("/proc/self/exe");
  world.Configure(Agent("helpdesk", OwnUid(), "exe = \"" + own + "\"\n") +
                  Agent("other", OwnUid()));
  CHECK(ReloadAndWait(world)["ok"] == true);
  CHECK(world.Until([&] { return client.Over() && window_of("helpdesk") == -1; }));
  Client again = Friend(world.Socket("helpdesk"));
  CHECK(world.Until([&] { return again.Has(" is uid"); }));
  CHECK(window_of("helpdesk") != before);
  CHECK_FALSE(unchanged.Over());
}

TEST_CASE("All roles take the new configuration or none does") {
  // clang-format off
  struct Row { const char* why; const char* file; const char* text; std::string more; const char* want; };
  const Row rows[] = {
      {"the file does not parse",     "",                         "",           "[agent",                        "purser.toml"},
      {"an unknown key",              "",                         "",           "[polcy]\nnever = []\n",         "polcy"},
      {"the broker cannot prepare",   "fake/purser-broker.fault", "bad limits", "",                              "broker: bad limits"},
      {"the dialer cannot prepare",   "fake/purser-dialer.fault", "no such host", "",                            "dialer: no such host"},
      {"a socket cannot be made",     "run/agents/blocked",       "a file",     Agent("blocked", 1),             "must be a folder"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(std::string(row.why));
    World world(Agent("helpdesk", OwnUid()));
    REQUIRE(world.Start().has_value());
    Client client = Friend(world.Socket("helpdesk"));
    CHECK(world.Until([&] { return client.Has(" is uid"); }));
    if (*row.file != '\0') world.folder.Write(row.file, row.text);
    world.Configure(Agent("joining", OwnUid()), row.more);
    const auto report = ReloadAndWait(world);
    CHECK(report["ok"] == false);
    CHECK(report["errors"].dump().find(row.want) != std::string::npos);
    CHECK_FALSE(client.Over());
    CHECK(Exists(world.Socket("helpdesk")));
    CHECK_FALSE(Exists(world.Socket("joining")));
    if (std::string_view(row.file).starts_with("fake/")) {
      CHECK(world.Logged("broker", "23 "));
      CHECK(world.Logged("dialer", "23 "));
    }
    CHECK(world.LogOf("ledger").find("entry 4 ") == std::string::npos);
  }
}

TEST_CASE("A file that others can write is no policy, at the start and at a reload") {
  World world(Agent("helpdesk", OwnUid()));
  REQUIRE(chmod((world.folder / "purser.toml").c_str(), 0666) == 0);
  const auto started = world.Start();
  REQUIRE_FALSE(started.has_value());
  CHECK(started.error().detail.find("chmod go-w") != std::string::npos);
  REQUIRE(chmod((world.folder / "purser.toml").c_str(), 0644) == 0);
  REQUIRE(world.Start().has_value());
  REQUIRE(chmod((world.folder / "purser.toml").c_str(), 0664) == 0);
  world.Configure(Agent("joining", OwnUid()));
  CHECK(ReloadAndWait(world)["errors"].dump().find("chmod go-w") != std::string::npos);
  CHECK_FALSE(Exists(world.Socket("joining")));
}

TEST_CASE("What cannot change at run time is refused with the advice to restart") {
  World world(Agent("helpdesk", OwnUid()));
  REQUIRE(world.Start().has_value());
  std::string text = world.folder.Read("purser.toml");
  text.replace(text.find("name = \"test\""), 13, "name = \"else\"");
  world.folder.Write("purser.toml", text);
  const auto report = ReloadAndWait(world);
  CHECK(report["ok"] == false);
  CHECK(report["errors"][0].get<std::string>().starts_with("[instance] cannot change"));
}

TEST_CASE(
    "A role that dies in the middle of a reload ends it, and its successor gets the old one") {
  World world(Agent("helpdesk", OwnUid()));
  REQUIRE(world.Start().has_value());
  world.folder.Write("fake/purser-broker.silent", "");
  world.Configure(Agent("joining", OwnUid()));
  std::string report;
  world.supervisor->BeginReload(false, [&report](const std::string& done) { report = done; });
  CHECK(world.Logged("broker", "21 ", 2));
  std::string second;
  world.supervisor->BeginReload(false, [&second](const std::string& done) { second = done; });
  CHECK(second.find("another reload is under way") != std::string::npos);
  world.folder.Remove("fake/purser-broker.silent");
  kill(world.supervisor->core().Get(RoleKind::kBroker)->pid(), SIGKILL);
  CHECK(world.Until([&report] { return !report.empty(); }));
  CHECK(report.find("the broker died meanwhile") != std::string::npos);
  CHECK(world.Until([&] { return world.supervisor->core().AllReady(); }));
  CHECK_FALSE(Exists(world.Socket("joining")));
  CHECK(ReloadAndWait(world)["ok"] == true);
  CHECK(Exists(world.Socket("joining")));
}

TEST_CASE("A dry run says what would change and changes nothing") {
  World world(Agent("helpdesk", OwnUid()));
  REQUIRE(world.Start().has_value());
  world.Configure(Agent("helpdesk", OwnUid()) + Agent("joining", OwnUid()));
  const auto report = ReloadAndWait(world, /*dry_run=*/true);
  CHECK(report["ok"] == true);
  CHECK(report["dry_run"] == true);
  CHECK(report["gained"].dump().find("joining") != std::string::npos);
  CHECK_FALSE(Exists(world.Socket("joining")));
  CHECK(world.LogOf("broker").find("21 ") == world.LogOf("broker").rfind("21 "));
}
