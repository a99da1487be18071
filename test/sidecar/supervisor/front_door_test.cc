#include "sidecar/supervisor/front_door.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>

#include "harness.h"
#include "sidecar/supervisor/connections.h"
#include "test/fakes/fake_clock.h"

using namespace sidecar::supervisor;
using namespace supervisor_test;
using sidecar::ipc::Fd;

namespace {

// The test process itself is the agent here: it can hold many connections without many processes.
Fd Connect(const std::string& path) {
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::ranges::copy(path, address.sun_path);
  REQUIRE(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  return fd;
}

constexpr uint32_t kAgentUser = 61001, kStranger = 61031;
// Everybody may connect to the operator's socket, to sign in.
constexpr const char* kPeopleSignIn =
    "[admin]\noperators = [\"entra-group:8f0c1d2e-0000-4000-8000-00000000000a\"]\n"
    "client_id = \"8f0c1d2e-0000-4000-8000-00000000000b\"\n";

mode_t ModeOf(const std::string& path) {
  struct stat status{};
  REQUIRE(stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

std::string ReadAll(const Fd& fd) {
  std::string text(2048, '\0');
  const ssize_t got = recv(fd.get(), text.data(), text.size(), MSG_DONTWAIT);
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return text;
}

}  // namespace

TEST_CASE("Beyond its cap an agent is told to wait, and another agent is not") {
  World world(Agent("greedy", geteuid()) + Agent("modest", geteuid()));
  REQUIRE(world.Start().has_value());
  std::vector<Fd> held;
  held.reserve(Connections::kMaxPerAgent);
  for (size_t i = 0; i < Connections::kMaxPerAgent; ++i) {
    held.push_back(Connect(world.Socket("greedy")));
  }
  const auto& connections = world.supervisor->door().connections();
  CHECK(world.Until([&] { return connections.size() == Connections::kMaxPerAgent; }));

  const Fd refused = Connect(world.Socket("greedy"));
  std::string answer;
  CHECK(world.Until([&] { return !(answer += ReadAll(refused)).empty(); }));
  CHECK(answer.starts_with("HTTP/1.1 503 "));
  CHECK(answer.find("\"reason\":\"overloaded\"") != std::string::npos);
  CHECK(connections.size() == Connections::kMaxPerAgent);

  const Fd other = Connect(world.Socket("modest"));
  CHECK(world.Until([&] { return connections.size() == Connections::kMaxPerAgent + 1; }));

  held.pop_back();
  CHECK(world.Until([&] { return connections.size() == Connections::kMaxPerAgent; }));
  held.push_back(Connect(world.Socket("greedy")));
  CHECK(world.Until([&] { return connections.size() == Connections::kMaxPerAgent + 1; }));
}

TEST_CASE("Whatever four agents hold open, another gets in, and an operator always") {
  rlimit files{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &files) == 0);
  files.rlim_cur = files.rlim_max;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &files) == 0);
  FakeClock clock;
  EventLoop loop(clock);
  REQUIRE(loop.Open().has_value());
  Connections connections(loop, [](const Connections::Connection&) {});
  const auto hold = [&](const std::string& agent) {
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(socket.valid());
    REQUIRE(connections.Add({agent, agent, {}, std::move(socket), false, {}}).has_value());
  };
  for (int agent = 0; connections.HasRoom("agent" + std::to_string(agent)); ++agent) {
    const std::string name = "agent" + std::to_string(agent);
    while (connections.HasRoom(name)) hold(name);
    if (agent == 3) CHECK(connections.HasRoom("an agent that holds none"));
  }
  CHECK(connections.size() == Connections::kMaxTotal);
  for (size_t i = 0; i < Connections::kMaxAdmin; ++i) {
    CHECK(connections.HasRoom(""));
    hold("");
  }
  CHECK_FALSE(connections.HasRoom(""));
}

TEST_CASE("The operator's socket is open to all only where people sign in, an agent's never") {
  struct Row {
    const char* why;
    std::string admin;
    mode_t mode;
  };
  const Row rows[] = {
      {"no [admin]", "", 0660},
      {"groups of this machine", "[admin]\noperators = [\"group:3001\"]\n", 0660},
      {"people of Entra", kPeopleSignIn, 0666},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    World world(Agent("helpdesk", geteuid()) + row.admin);
    REQUIRE(world.Start().has_value());
    CHECK(ModeOf(world.AdminSocket()) == row.mode);
    CHECK(ModeOf(world.Socket("helpdesk")) == 0660);
  }
}

TEST_CASE("Strangers who may sign in leave those in [admin] their room, and each other theirs") {
  if (geteuid() != 0) return;
  World world(Agent("helpdesk", kAgentUser) + kPeopleSignIn);
  REQUIRE(world.Start().has_value());
  const auto& connections = world.supervisor->door().connections();
  const size_t most = FrontDoor::kNewcomers.open, own = FrontDoor::kNewcomers.open_of_user;
  std::vector<Client> strangers;
  strangers.reserve(most + 1);
  for (size_t i = 0; i < own; ++i) strangers.emplace_back(world.AdminSocket(), kStranger);
  CHECK(world.Until([&] { return connections.size() == own; }));
  Client greedy(world.AdminSocket(), kStranger);
  CHECK(world.Until([&] { return greedy.Has("HTTP/1.1 503 "); }));
  for (size_t i = own; i < most; ++i) strangers.emplace_back(world.AdminSocket(), kStranger + 1);
  CHECK(world.Until([&] { return connections.size() == most; }));
  Client one_more(world.AdminSocket(), kStranger + 2);
  CHECK(world.Until([&] { return one_more.Has("HTTP/1.1 503 "); }));
  Client agent(world.AdminSocket(), kAgentUser);
  CHECK(world.Until([&] { return agent.Has("HTTP/1.1 403 "); }));
  const Client root(world.AdminSocket());
  CHECK(world.Until([&] { return connections.size() == most + 1; }));

  strangers.pop_back();
  CHECK(world.Until([&] { return connections.size() == most; }));
  strangers.emplace_back(world.AdminSocket(), kStranger + 1);
  CHECK(world.Until([&] { return connections.size() == most + 1; }));
}

TEST_CASE("Strangers who come and go have few processes forked for them, operators all the same") {
  if (geteuid() != 0) return;
  World world(Agent("helpdesk", kAgentUser) + kPeopleSignIn);
  REQUIRE(world.Start().has_value());
  const auto& connections = world.supervisor->door().connections();
  const auto began = world.clock.Now();
  size_t admitted = 0;
  size_t refused = 0;
  for (int round = 0; round < 20 && refused == 0; ++round) {
    std::vector<Client> strangers;
    for (size_t i = 0; i < FrontDoor::kNewcomers.open_of_user; ++i) {
      strangers.emplace_back(world.AdminSocket(), kStranger);
    }
    const auto answered = [&] {
      refused = static_cast<size_t>(std::ranges::count_if(
          strangers, [](Client& client) { return client.Has("HTTP/1.1 503 "); }));
      return connections.size() + refused == strangers.size();
    };
    REQUIRE(world.Until(answered));
    admitted += connections.size();
    strangers.clear();
    REQUIRE(world.Until([&] { return connections.size() == 0; }));
  }
  const std::chrono::duration<double> took = world.clock.Now() - began;
  CHECK(refused > 0);
  const double rate = FrontDoor::kNewcomers.of_user_per_second;
  CHECK(static_cast<double>(admitted) <= rate * (2 + took.count()) + 1);
  const Client other(world.AdminSocket(), kStranger + 1);
  CHECK(world.Until([&] { return connections.size() == 1; }));
  const Client root(world.AdminSocket());
  CHECK(world.Until([&] { return connections.size() == 2; }));
}

TEST_CASE("A member of [admin] who takes all they can keeps neither another one out, nor root") {
  if (geteuid() != 0) return;
  World world(Agent("helpdesk", kAgentUser) +
              "[admin]\nauditors = [\"group:" + std::to_string(kStranger) +
              "\"]\noperators = [\"group:" + std::to_string(kStranger + 1) + "\"]\n");
  REQUIRE(world.Start().has_value());
  const auto& connections = world.supervisor->door().connections();
  std::vector<Client> held;
  for (size_t i = 0; i < FrontDoor::kMembers.open_of_user; ++i) {
    held.emplace_back(world.AdminSocket(), kStranger, kStranger);
  }
  CHECK(world.Until([&] { return connections.size() == held.size(); }));
  Client greedy(world.AdminSocket(), kStranger, kStranger);
  CHECK(world.Until([&] { return greedy.Has("HTTP/1.1 503 "); }));
  held.emplace_back(world.AdminSocket(), kStranger + 1, kStranger + 1);
  CHECK(world.Until([&] { return connections.size() == held.size(); }));
  held.emplace_back(world.AdminSocket());
  CHECK(world.Until([&] { return connections.size() == held.size(); }));
}

TEST_CASE("One round serves a few of each agent, however many wait") {
  World world(Agent("flood", geteuid()) + Agent("modest", geteuid()));
  REQUIRE(world.Start().has_value());
  std::vector<Fd> flood;
  flood.reserve(200);
  for (int i = 0; i < 200; ++i) flood.push_back(Connect(world.Socket("flood")));
  const Fd modest = Connect(world.Socket("modest"));
  world.loop.RunOnce(std::chrono::milliseconds{0});
  const auto& connections = world.supervisor->door().connections();
  const auto count_of = [&connections](const std::string& agent) {
    return connections
        .Select([&agent](const Connections::Connection& open) { return open.agent == agent; })
        .size();
  };
  CHECK(count_of("flood") == FrontDoor::kAcceptsPerRound);
  CHECK(count_of("modest") == 1);
}

TEST_CASE("A peer that hangs up before its window is there leaves nothing behind") {
  World world(Agent("helpdesk", geteuid()));
  world.folder.Write("fake/purser-window.mute", "");  // never ready
  REQUIRE(world.Start().has_value());
  const auto& connections = world.supervisor->door().connections();
  {
    const Fd hasty = Connect(world.Socket("helpdesk"));
    CHECK(world.Until([&] { return connections.size() == 1; }));
  }
  CHECK(world.Until([&] { return connections.size() == 0; }));
  CHECK(world.LogOf("broker").find("connection") == std::string::npos);
}

TEST_CASE("A window that says more than a window may is ended") {
  World world(Agent("helpdesk", geteuid()));
  world.folder.Write("fake/purser-window.rude", "");
  REQUIRE(world.Start().has_value());
  const Fd client = Connect(world.Socket("helpdesk"));
  std::string answer;
  CHECK(world.Until([&] { return !(answer += ReadAll(client)).empty(); }));
  CHECK(answer.find("\"reason\":\"restarting\"") != std::string::npos);
  CHECK(world.supervisor->windows().empty());
  CHECK(world.LogOf("broker").find("connection") == std::string::npos);
}

TEST_CASE("A refused client can still write its request before it reads the answer") {
  World world(Agent("helpdesk", geteuid() + 1));
  REQUIRE(world.Start().has_value());
  const Fd client = Connect(world.Socket("helpdesk"));
  CHECK(world.Logged("ledger", "entry 12 "));
  CHECK(send(client.get(), "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL) == 18);
  CHECK(ReadAll(client).starts_with("HTTP/1.1 403 "));
}
