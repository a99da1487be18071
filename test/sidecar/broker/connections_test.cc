#include "sidecar/broker/connections.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <latch>
#include <thread>

using namespace sidecar;
using namespace sidecar::broker_role;
using namespace std::chrono_literals;

namespace {

// Dispatches as the control loop does, until destroyed.
class Loop {
 public:
  explicit Loop(Connections& connections)
      : thread_([&connections](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            pollfd ready{connections.poll_fd(), POLLIN, 0};
            if (poll(&ready, 1, 10) > 0) connections.Dispatch();
          }
        }) {}

 private:
  std::jthread thread_;
};

std::string Ask(int fd, const std::string& question) {
  if (!ipc::Send(fd, question)) return "cannot send";
  ipc::Message answer;
  return ipc::Receive(fd, &answer) ? answer.bytes : "closed";
}

}  // namespace

TEST_CASE("Each pair is answered for the peer that it was attested for") {
  Connections connections([](const Peer& peer, std::string_view request, std::string* answer) {
    *answer = peer.caller.agent + ":" + std::string(request);
  });
  const Loop loop(connections);
  auto one = ipc::MakePair();
  auto two = ipc::MakePair();
  connections.Add({.agent = "one"}, std::move(one->second), {});
  connections.Add({.agent = "two"}, std::move(two->second), {});
  CHECK(Ask(two->first.get(), "a") == "two:a");
  CHECK(Ask(one->first.get(), "b") == "one:b");
  CHECK(Ask(one->first.get(), "c") == "one:c");
}

TEST_CASE("A peer whose process has exited is seen as gone") {
  std::atomic<int> seen{-1};
  Connections connections([&](const Peer& peer, std::string_view, std::string* answer) {
    seen = peer.caller.alive() ? 1 : 0;
    *answer = "x";
  });
  const Loop loop(connections);
  const pid_t child = fork();
  if (child == 0) pause();
  ipc::Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  auto pair = ipc::MakePair();
  connections.Add({.agent = "a"}, std::move(pair->second), std::move(pidfd));
  Ask(pair->first.get(), "q");
  CHECK(seen == 1);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  Ask(pair->first.get(), "q");
  CHECK(seen == 0);
}

TEST_CASE("Draining lets a request under way finish and takes no new one") {
  std::latch begun(1);
  std::latch may_end(1);
  Connections connections([&](const Peer&, std::string_view, std::string* answer) {
    begun.count_down();
    may_end.wait();
    *answer = "done";
  });
  const Loop loop(connections);
  auto pair = ipc::MakePair();
  connections.Add({.agent = "a"}, std::move(pair->second), {});
  std::string answer;
  std::jthread asker([&] { answer = Ask(pair->first.get(), "q"); });
  begun.wait();
  std::jthread ender([&] { may_end.count_down(); });
  CHECK(connections.Drain(30s));
  asker.join();
  CHECK(answer == "done");
  auto late = ipc::MakePair();
  connections.Add({.agent = "late"}, std::move(late->second), {});
  CHECK(Ask(late->first.get(), "q") != "done");
}

TEST_CASE("A drain that takes too long says so") {
  std::latch begun(1);
  std::latch may_end(1);
  {
    Connections connections([&](const Peer&, std::string_view, std::string* answer) {
      begun.count_down();
      may_end.wait();
      *answer = "done";
    });
    const Loop loop(connections);
    auto pair = ipc::MakePair();
    connections.Add({.agent = "a"}, std::move(pair->second), {});
    REQUIRE(ipc::Send(pair->first.get(), "q"));
    begun.wait();
    CHECK_FALSE(connections.Drain(1ms));
    may_end.count_down();
    CHECK(connections.Drain(30s));
  }
}
