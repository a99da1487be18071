#include "sidecar/broker/connections.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <latch>
#include <optional>
#include <thread>
#include <vector>

#include "test/sidecar/broker/running_connections.h"

using namespace sidecar;
using namespace sidecar::broker_role;
using namespace std::chrono_literals;

namespace {

void Echo(std::string_view request, const Connections::Answerer& answerer) {
  std::string answer = answerer.peer().caller.agent + ":" + std::string(request);
  answerer.Send(&answer);
}

// Requests that are kept until the test has them answered.
class Kept {
 public:
  Connections::Handler handler() {
    return [this](std::string_view, const Connections::Answerer& answerer) {
      answerer_ = answerer;
      begun_.count_down();
    };
  }
  void Wait() { begun_.wait(); }
  void Answer(std::string text) {
    answerer_->Send(&text);
    answerer_.reset();
  }
  void Forget() { answerer_.reset(); }
  [[nodiscard]] bool alive() const { return answerer_->peer().caller.alive(); }

 private:
  std::optional<Connections::Answerer> answerer_;
  std::latch begun_{1};
};

}  // namespace

TEST_CASE("Each pair is answered for the peer that it was attested for") {
  RunningConnections running(Echo);
  const ipc::Fd one = running.Add("one");
  const ipc::Fd two = running.Add("two");
  CHECK(AskOver(two, "a") == "two:a");
  CHECK(AskOver(one, "b") == "one:b");
  CHECK(AskOver(one, "c") == "one:c");
}

TEST_CASE("An agent's largest request has room: every field at its limit") {
  ipc::TokenRequestMessage message{std::string(64, 'i'), {}};
  using broker::TokenRequest;
  TokenRequest& request = message.request;
  request.scopes.assign(TokenRequest::kMaxScopes, std::string(TokenRequest::kMaxScopeBytes, 's'));
  request.claims = std::string(TokenRequest::kMaxClaimsBytes, 'c');
  const std::string text(TokenRequest::kMaxContextBytes, 't');
  request.context = {.purpose = text, .task = text, .requested_by = text};
  request.trace = std::string(TokenRequest::kMaxTraceBytes, 't');
  request.user_assertion = std::make_shared<const broker::Secret>(
      broker::Secret::Allocate(TokenRequest::kMaxUserAssertionBytes));
  std::string bytes;
  ipc::Encode(message, &bytes);
  RunningConnections running(Echo);
  CHECK(AskOver(running.Add("a"), bytes) == "a:" + bytes);
}

TEST_CASE("An operator's request of several frames arrives whole, and only then") {
  RunningConnections running(Echo);
  const ipc::Fd window = running.Add("a", {}, /*admin=*/true);
  const std::string large(2 * ipc::kMaxFrameBytes, 'x');
  CHECK(AskOver(window, large) == "a:" + large);
  CHECK(AskOver(window, "after") == "a:after");
}

TEST_CASE("A request larger than any that there is ends its pair") {
  RunningConnections running(Echo);
  CHECK(AskOver(running.Add("a"), std::string(size_t{48} << 10, 'x')) == "closed");
  CHECK(AskOver(running.Add("a", {}, /*admin=*/true), std::string(4 * ipc::kMaxFrameBytes, 'x')) ==
        "closed");
}

TEST_CASE("What one pair sends never reaches the request of another") {
  // The first request holds up the thread that serves, so that all others come in one round.
  std::latch held(1);
  std::latch begun(1);
  RunningConnections running([&](std::string_view request, const Connections::Answerer& answerer) {
    if (request == "hold") {
      begun.count_down();
      held.wait();
    }
    Echo(request, answerer);
  });
  const ipc::Fd holder = running.Add("holder");
  REQUIRE(ipc::Send(holder.get(), "hold"));
  begun.wait();
  std::vector<ipc::Fd> hostile;
  std::vector<ipc::Fd> honest;
  for (int i = 0; i < 10; ++i) {
    hostile.push_back(running.Add("hostile"));
    const int bad = hostile.back().get();
    const std::vector<int> descriptors(4, bad);
    switch (i % 3) {
      case 0:
        REQUIRE(send(bad, "\x07prefix-", 8, 0) == 8);
        break;
      case 1:
        REQUIRE(ipc::Send(bad, "prefix-", descriptors));
        break;
      default:
        REQUIRE(send(bad, "\x01", 1, 0) == 1);
    }
    honest.push_back(running.Add("honest"));
    REQUIRE(ipc::Send(honest.back().get(), "q"));
  }
  held.count_down();
  for (const ipc::Fd& window : honest) {
    ipc::Message answer;
    REQUIRE(ipc::Receive(window.get(), &answer));
    CHECK(answer.bytes == "honest:q");
  }
  for (const ipc::Fd& window : hostile) {
    ipc::Message answer;
    CHECK_FALSE(ipc::Receive(window.get(), &answer).has_value());
  }
}

TEST_CASE("A window that announces more frames and keeps silent holds up nobody") {
  RunningConnections running(Echo);
  const ipc::Fd silent = running.Add("silent");
  const ipc::Fd other = running.Add("other");
  REQUIRE(send(silent.get(), "\x01half", 5, 0) == 5);
  CHECK(AskOver(other, "b") == "other:b");
}

TEST_CASE("What no window sends ends its pair") {
  struct Row {
    const char* why;
    std::vector<std::string> frames;
  };
  for (const Row& row :
       {Row{"an unknown flag", {"\x07q"}}, Row{"an unknown flag later", {"\x01q", "\x07r"}}}) {
    CAPTURE(row.why);
    RunningConnections running(Echo);
    const ipc::Fd window = running.Add("a");
    for (const std::string& frame : row.frames) {
      REQUIRE(send(window.get(), frame.data(), frame.size(), 0) > 0);
    }
    ipc::Message answer;
    CHECK_FALSE(ipc::Receive(window.get(), &answer).has_value());
  }
}

TEST_CASE("A second request before the answer to the first ends the pair, and harms no other") {
  Kept kept;
  RunningConnections running(kept.handler());
  const ipc::Fd window = running.Add("a");
  REQUIRE(ipc::Send(window.get(), "q"));
  kept.Wait();
  REQUIRE(ipc::Send(window.get(), "q"));
  ipc::Message answer;
  CHECK_FALSE(ipc::Receive(window.get(), &answer).has_value());
  kept.Answer("late");
}

TEST_CASE("A request that is forgotten is answered all the same") {
  Kept kept;
  RunningConnections running(kept.handler());
  const ipc::Fd window = running.Add("a");
  REQUIRE(ipc::Send(window.get(), "q"));
  kept.Wait();
  kept.Forget();
  ipc::Message message;
  REQUIRE(ipc::Receive(window.get(), &message));
  const auto answer = ipc::DecodeAnswer(message.bytes);
  REQUIRE(answer.has_value());
  CHECK(answer->status == 500);
}

TEST_CASE("A request is answered once") {
  RunningConnections running([](std::string_view, const Connections::Answerer& answerer) {
    for (std::string text : {"first", "second"}) answerer.Send(&text);
  });
  const ipc::Fd window = running.Add("a");
  CHECK(AskOver(window, "q") == "first");
  CHECK(AskOver(window, "q") == "first");
}

TEST_CASE("A peer whose process has exited is seen as gone") {
  std::atomic<int> seen{-1};
  RunningConnections running([&](std::string_view, const Connections::Answerer& answerer) {
    seen = answerer.peer().caller.alive() ? 1 : 0;
    std::string answer = "x";
    answerer.Send(&answer);
  });
  const pid_t child = fork();
  if (child == 0) pause();
  const ipc::Fd window =
      running.Add("a", ipc::Fd(static_cast<int>(syscall(SYS_pidfd_open, child, 0))));
  AskOver(window, "q");
  CHECK(seen == 1);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  AskOver(window, "q");
  CHECK(seen == 0);
}

TEST_CASE("Who is let in no more is answered no more, however far its request is") {
  Kept kept;
  std::latch held(1);
  std::latch begun(1);
  RunningConnections running([&](std::string_view request, const Connections::Answerer& answerer) {
    if (request == "keep") return kept.handler()(request, answerer);
    if (request == "hold") {
      begun.count_down();
      held.wait();
    }
    CHECK(answerer.peer().caller.agent == "staying");
    Echo(request, answerer);
  });
  const ipc::Fd under_way = running.Add("leaving");
  const ipc::Fd idle = running.Add("leaving");
  const ipc::Fd unread = running.Add("leaving");
  const ipc::Fd holder = running.Add("staying");
  const ipc::Fd other = running.Add("staying");
  REQUIRE(ipc::Send(under_way.get(), "keep"));
  kept.Wait();
  CHECK(kept.alive());
  REQUIRE(ipc::Send(holder.get(), "hold"));
  begun.wait();
  REQUIRE(ipc::Send(unread.get(), "q"));
  running.connections.KeepOnly([](const Peer& peer) { return peer.caller.agent == "staying"; });
  held.count_down();
  ipc::Message answer;
  CHECK_FALSE(ipc::Receive(unread.get(), &answer));
  CHECK(AskOver(idle, "q") == "closed");
  CHECK(AskOver(other, "q") == "staying:q");
  CHECK_FALSE(kept.alive());
  kept.Answer("late");
  CHECK_FALSE(ipc::Receive(under_way.get(), &answer));
}

TEST_CASE("An agent that keeps its pairs open leaves room for others, and operators") {
  RunningConnections running(Echo);
  std::vector<ipc::Fd> greedy;
  greedy.reserve(Seats::kMaxPerAgent);
  while (greedy.size() < Seats::kMaxPerAgent) greedy.push_back(running.Add("greedy"));
  CHECK(AskOver(greedy.back(), "q") == "greedy:q");
  CHECK(AskOver(running.Add("greedy"), "q") == "closed");
  CHECK(AskOver(running.Add("modest"), "q") == "modest:q");
  CHECK(AskOver(running.Add("greedy", {}, /*admin=*/true), "q") == "greedy:q");
}

TEST_CASE("Draining lets a request under way finish and takes no new one") {
  Kept kept;
  RunningConnections running(kept.handler());
  const ipc::Fd window = running.Add("a");
  const ipc::Fd idle = running.Add("b");
  REQUIRE(ipc::Send(window.get(), "q"));
  kept.Wait();
  CHECK_FALSE(running.connections.Drain(0ms));
  CHECK(AskOver(idle, "q") == "closed");
  kept.Answer("done");
  CHECK(running.connections.Drain(30s));
  ipc::Message answer;
  REQUIRE(ipc::Receive(window.get(), &answer));
  CHECK(answer.bytes == "done");
  CHECK(AskOver(running.Add("late"), "q") == "closed");
}

TEST_CASE("What is posted runs on the thread that serves") {
  std::thread::id serving;
  RunningConnections running([&](std::string_view, const Connections::Answerer& answerer) {
    serving = std::this_thread::get_id();
    std::string answer = "x";
    answerer.Send(&answer);
  });
  const ipc::Fd window = running.Add("a");
  AskOver(window, "q");
  std::thread::id posted;
  std::latch ran(1);
  running.connections.Post([&] {
    posted = std::this_thread::get_id();
    ran.count_down();
  });
  ran.wait();
  CHECK(posted == serving);
}
