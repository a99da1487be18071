#include "sidecar/supervisor/supervisor.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "harness.h"

using namespace sidecar::supervisor;
using namespace supervisor_test;

namespace {

constexpr uint32_t kAgentUid = 61001;
constexpr uint32_t kStrangerUid = 61002;

bool IsRoot() { return geteuid() == 0; }
// Without root every process is the same user, and a selector of another user plays the stranger.
uint32_t OwnUid() { return IsRoot() ? kAgentUid : geteuid(); }
Client Friend(const std::string& socket) {
  return Client(socket, IsRoot() ? kAgentUid : Client::kSameUser);
}

}  // namespace

TEST_CASE("Roles get what they need, in order, and only then is anybody accepted") {
  World world(Agent("helpdesk", OwnUid()));
  REQUIRE(world.Start().has_value());
  const std::string ledger = world.LogOf("ledger");
  CHECK(ledger.find("--dir " + (world.folder / "state/ledger") + " --log test") != ledger.npos);
  const std::string broker = world.LogOf("broker");
  CHECK(broker.find("--store " + (world.folder / "state/store/store.db")) != broker.npos);
  for (const char* line : {"28 ", "27 ", "21  fds=2", "30 file fds=1", "22 "}) {
    CAPTURE(std::string(line));
    CHECK(world.Logged("broker", line));
  }
  CHECK(
      world.Logged("dialer", "24 graph.microsoft.com:443\nlogin.microsoftonline.com:443\n fds=0"));
  CHECK(world.Logged("ledger", "entry 14 "));  // daemon.started
}

TEST_CASE("An attested peer is handed to a window of its agent and answered by the broker") {
  for (const PidfdFrom from : {PidfdFrom::kSocketElsePid, PidfdFrom::kPidOnly}) {
    World world(Agent("helpdesk", OwnUid()) + Agent("other", OwnUid()), from);
    REQUIRE(world.Start().has_value());
    CHECK(world.LogOf("window").empty());
    Client client = Friend(world.Socket("helpdesk"));
    CHECK(world.Until(
        [&] { return client.Has("helpdesk is uid " + std::to_string(OwnUid()) + "\n"); }));
    const std::string window = world.LogOf("window");
    CHECK(window.find("start --agent helpdesk") != window.npos);
    CHECK(window.find("--agent other") == window.npos);
    // The window learns whose connection it is, the broker also who called.
    CHECK(window.find("connection agent=helpdesk uid=65534 fds=2") != window.npos);
    CHECK(world.LogOf("broker").find("connection agent=helpdesk uid=" + std::to_string(OwnUid()) +
                                     " fds=2") != std::string::npos);
    CHECK(world.supervisor->door().connections().size() == 1);
    Client second = Friend(world.Socket("other"));
    CHECK(world.Until([&] { return second.Has("other is uid"); }));
    CHECK(world.Logged("window", "start ", 2));
  }
}

TEST_CASE("A peer of the wrong user is answered here, recorded, and starts no window") {
  World world(Agent("helpdesk", IsRoot() ? kAgentUid : geteuid() + 1));
  REQUIRE(world.Start().has_value());
  // Let the stranger through the socket's own permissions: attestation alone must hold.
  REQUIRE(chmod(world.Socket("helpdesk").c_str(), 0666) == 0);
  std::vector<Client> strangers;
  strangers.reserve(5);
  for (int i = 0; i < 5; ++i) {
    // Of no group of purser's either: the access list holds off the group that owns the socket.
    const uint32_t who = IsRoot() ? kStrangerUid : Client::kSameUser;
    strangers.emplace_back(world.Socket("helpdesk"), who, who);
  }
  for (Client& stranger : strangers) {
    CHECK(world.Until([&] { return stranger.Over(); }));
    CHECK(stranger.answer().starts_with("HTTP/1.1 403 Forbidden\r\n"));
    CHECK(stranger.Has("\"reason\":\"peer_refused\""));
    CHECK(stranger.Has("purser explain AGENT --refused"));
    CHECK_FALSE(stranger.Has("request_id"));
  }
  CHECK(world.Logged("ledger", "entry 12 helpdesk peer_refused fault=user differs", 5));
  CHECK(world.Logged("ledger", " selector=user wanted=", 5));
  CHECK(world.supervisor->windows().empty());
  CHECK(world.LogOf("window").empty());
  CHECK(world.LogOf("broker").find("connection") == std::string::npos);
}

TEST_CASE("The entry of a refused program says which program it was") {
  World world(Agent("helpdesk", OwnUid(), "exe = \"/usr/bin/true\"\n"));
  REQUIRE(world.Start().has_value());
  Client other = Friend(world.Socket("helpdesk"));
  CHECK(world.Until([&] { return other.Over(); }));
  CHECK(other.Has("403 Forbidden"));
  CHECK(world.Logged("ledger", "fault=exe differs found=/"));
  CHECK(world.Logged("ledger", "supervisor_test selector=exe wanted=/usr/bin/true"));
}

TEST_CASE("The admin socket is for [admin]'s groups, with a window for each connection") {
  World world(Agent("helpdesk", OwnUid()));
  REQUIRE(world.Start().has_value());
  REQUIRE(chmod(world.AdminSocket().c_str(), 0666) == 0);
  if (!IsRoot()) return;
  Client root(world.AdminSocket());
  Client stranger(world.AdminSocket(), kStrangerUid, kStrangerUid);
  CHECK(world.Until([&] { return root.Has(" is uid 0"); }));
  CHECK(world.Until([&] { return stranger.Over(); }));
  CHECK(stranger.Has("403 Forbidden"));
  CHECK(world.Logged("ledger", "fault=in no group of [admin] found=" +
                                   std::to_string(kStrangerUid) + " selector=group"));
  Client second(world.AdminSocket());
  CHECK(world.Until([&] { return second.Has(" is uid 0"); }));
  CHECK(world.supervisor->windows().running().size() == 2);
  {
    const Client gone = std::move(second);
  }
  CHECK(world.Until([&] { return world.supervisor->windows().running().size() == 1; }));
}

TEST_CASE("A role that dies comes back with its channels and its key, and the ledger says so") {
  World world(Agent("helpdesk", OwnUid()));
  REQUIRE(world.Start().has_value());
  Client before = Friend(world.Socket("helpdesk"));
  CHECK(world.Until([&] { return before.Has("helpdesk is uid"); }));

  const pid_t broker = world.supervisor->core().Get(RoleKind::kBroker)->pid();
  REQUIRE(kill(broker, SIGKILL) == 0);
  CHECK(world.Until([&] { return before.Over(); }));  // the window saw its pair break
  CHECK(world.Until([&] { return world.supervisor->core().restarts(RoleKind::kBroker) == 1; }));
  CHECK(world.Until([&] { return world.supervisor->core().AllReady(); }));
  CHECK(world.Logged("broker", "30 kept fds=1"));
  CHECK(world.Logged("ledger", "entry 16   count=1 end=signal 9 role=broker"));
  Client after = Friend(world.Socket("helpdesk"));
  CHECK(world.Until([&] { return after.Has("helpdesk is uid"); }));

  REQUIRE(kill(world.supervisor->core().Get(RoleKind::kLedger)->pid(), SIGKILL) == 0);
  CHECK(world.Logged("ledger", "entry 16   count=1 end=signal 9 role=ledger"));
  CHECK(world.Logged("broker", "28 ", 3));  // a channel for each of its lives, and the new ledger
  CHECK(world.Logged("window", "29 helpdesk", 2));  // a second reader channel
}

TEST_CASE("A successor is told of the key that it gets what its predecessor said of it") {
  World world(Agent("helpdesk", OwnUid()));
  world.folder.Write("fake/purser-broker.keep", "as-next");
  REQUIRE(world.Start().has_value());
  CHECK(world.Logged("broker", "30 file fds=1"));
  REQUIRE(kill(world.supervisor->core().Get(RoleKind::kBroker)->pid(), SIGKILL) == 0);
  CHECK(world.Logged("broker", "30 kept-next fds=1"));
}

TEST_CASE("A ledger that had latched is latched in its next life, until it says that it is not") {
  World world(Agent("helpdesk", OwnUid()));
  world.folder.Write("fake/purser-ledger.latch", "sync failed: EIO");
  REQUIRE(world.Start().has_value());
  CHECK(world.LogOf("ledger").find("--latched") == std::string::npos);
  const auto dies = [&world](uint32_t restarts) {
    const pid_t ledger = world.supervisor->core().Get(RoleKind::kLedger)->pid();
    REQUIRE(kill(ledger, SIGKILL) == 0);
    CHECK(world.Until([&] {
      return world.supervisor->core().restarts(RoleKind::kLedger) == restarts &&
             world.supervisor->core().AllReady();
    }));
  };
  dies(1);
  CHECK(world.Logged("ledger", "--latched sync failed: EIO", 1));
  world.folder.Write("fake/purser-ledger.latch", "");  // resumed
  dies(2);
  CHECK(world.Logged("ledger", "--latched sync failed: EIO", 2));
  dies(3);
  CHECK(world.Logged("ledger", "start ", 4));
  CHECK(world.Logged("ledger", "--latched", 2));
}

TEST_CASE("A role that latches what is not its own is ended") {
  World world(Agent("helpdesk", OwnUid()));
  world.folder.Write("fake/purser-dialer.latch", "sync failed: EIO");
  REQUIRE_FALSE(world.Start().has_value());
}

TEST_CASE("A window that dies takes its own connections and nobody else's") {
  World world(Agent("helpdesk", OwnUid()) + Agent("other", OwnUid()));
  REQUIRE(world.Start().has_value());
  Client victim = Friend(world.Socket("helpdesk"));
  Client bystander = Friend(world.Socket("other"));
  CHECK(world.Until([&] { return victim.Has(" is uid") && bystander.Has(" is uid"); }));
  for (const RoleProcess* window : world.supervisor->windows().running()) {
    if (window->name().agent == "helpdesk") kill(window->pid(), SIGKILL);
  }
  CHECK(world.Until([&] { return victim.Over(); }));
  CHECK_FALSE(bystander.Over());
  CHECK(world.Until([&] {
    Client again = Friend(world.Socket("helpdesk"));
    return world.Until([&] { return again.Over() || again.Has(" is uid"); }) &&
           again.Has(" is uid");
  }));
  CHECK(world.Logged("ledger", "entry 16 helpdesk  count=1 end=signal 9 role=window"));
}

TEST_CASE("While the broker is away a caller is told to come back") {
  World world(Agent("helpdesk", OwnUid()));
  REQUIRE(world.Start().has_value());
  world.folder.Write("fake/purser-broker.crash", "");
  REQUIRE(kill(world.supervisor->core().Get(RoleKind::kBroker)->pid(), SIGKILL) == 0);
  CHECK(world.Until([&] { return !world.supervisor->core().Ready(RoleKind::kBroker); }));
  Client client = Friend(world.Socket("helpdesk"));
  CHECK(world.Until([&] { return client.Over(); }));
  CHECK(client.answer().starts_with("HTTP/1.1 503 "));
  CHECK(client.Has("\"reason\":\"restarting\""));
  CHECK(client.Has("Retry-After: 1\r\n"));
  world.folder.Remove("fake/purser-broker.crash");
  CHECK(world.Until([&] { return world.supervisor->core().AllReady(); }));
}

TEST_CASE("What a self-test finds ends a strict start, with what to do about it") {
  World world(Agent("helpdesk", OwnUid()));
  world.folder.Write("fake/purser-dialer.findings",
                     R"([{"name":"x","what":"it could read the store","remedy":"useradd"}])");
  const auto started = world.Start();
  REQUIRE_FALSE(started.has_value());
  CHECK(started.error().detail.find("it could read the store. To do: useradd") !=
        std::string::npos);
}

TEST_CASE("A start that cannot succeed ends, and says why") {
  // clang-format off
  struct Row { const char* why; const char* file; const char* text; const char* want; };
  const Row rows[] = {
      {"a role dies at once",        "fake/purser-ledger.crash",    "",         "purser-ledger ended with status 7"},
      {"a role cannot prepare",      "fake/purser-broker.fault",    "no CA",    "purser-broker ended with signal 9"},
      {"findings are nonsense",      "fake/purser-dialer.findings", "all well", "purser-dialer ended with signal 9"},
      {"a role oversteps its role",  "fake/purser-ledger.rude",     "",         "purser-ledger ended with signal 9"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(std::string(row.why));
    World world(Agent("helpdesk", OwnUid()));
    world.folder.Write(row.file, row.text);
    const auto started = world.Start();
    REQUIRE_FALSE(started.has_value());
    CHECK(started.error().detail.find(row.want) != std::string::npos);
  }
}

TEST_CASE("The broker may ask for the state and for a reload") {
  World world(Agent("helpdesk", OwnUid()));
  world.folder.Write("fake/purser-broker.ask", "dry-run");
  REQUIRE(world.Start().has_value());
  const Client client = Friend(world.Socket("helpdesk"));
  REQUIRE(world.Logged("broker", "32 1 {"));
  REQUIRE(world.Logged("broker", "33 2 {\"ok\":true,\"dry_run\":true"));
  const auto status = nlohmann::json::parse(world.supervisor->StatusReport());
  CHECK(status["roles"].size() == 5);
  CHECK(status["roles"][1]["role"] == "ledger");
  CHECK(status["roles"][1]["ready"] == true);
  CHECK(status["hardening"]["minimum"] == "strict");
}

TEST_CASE("A stop drains windows first and the ledger last, and leaves no socket") {
  World world(Agent("helpdesk", OwnUid()));
  REQUIRE(world.Start().has_value());
  Client client = Friend(world.Socket("helpdesk"));
  CHECK(world.Until([&] { return client.Has(" is uid"); }));
  const std::string socket = world.Socket("helpdesk");
  world.supervisor->BeginStop();
  world.loop.Run();
  CHECK(
      world.Until([&] { return client.Over(); }));  // another process, which reads in its own time
  CHECK(access(socket.c_str(), F_OK) != 0);
  CHECK(access(world.AdminSocket().c_str(), F_OK) != 0);
  const std::string ledger = world.LogOf("ledger");
  CHECK(ledger.find("entry 15 ") < ledger.find("31  fds=0"));  // daemon.stopped, then kStop
  CHECK(world.LogOf("window").find("31  fds=0") != std::string::npos);
  world.supervisor.reset();
}
