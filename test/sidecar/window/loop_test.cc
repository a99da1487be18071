// Many connections on one thread: what one of them does, or its broker, holds up no other one.
#include <fcntl.h>

#include "test/sidecar/window/running_window.h"

using namespace window_test;

TEST_CASE("A request that does not arrive in time is refused, and recorded by its route") {
  RunningWindow window({.request = kSoon});
  // clang-format off
  struct Row { const char* what; std::vector<std::string> pieces; bool recorded; };
  const Row rows[] = {
      {"half a head",           {"POST /v1/token HT"}, false},
      {"a head without a body", {"POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"}, true},
      {"half a body",           {"POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n", std::string(9000, 'a'), std::string(30000, 'b')}, true},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const Ends ends = window.Connect();
    for (const std::string& piece : row.pieces) Write(ends.agent, piece);
    if (row.recorded) {
      const auto rejected = ipc::DecodeRejected(RunningWindow::Receive(ends.broker));
      REQUIRE(rejected);
      CHECK(rejected->reason == broker::Reason::kRequestTimeout);
      Send(ends.broker, Answer(408, R"({"reason":"request_timeout"})"));
    }
    const std::string answer = ReadAnswer(ends.agent);
    CHECK(StatusOf(answer) == 408);
    CHECK(ReasonOf(answer) == "request_timeout");
    CHECK(AtEnd(ends.agent));
  }
}

TEST_CASE("A connection that says nothing ends after its time") {
  RunningWindow window({.idle = kSoon});
  const Ends ends = window.Connect();
  CHECK(AtEnd(ends.agent));
  CHECK(RunningWindow::Receive(ends.broker).empty());
}

TEST_CASE("A broker that keeps silent costs a clear answer, and its late answer meets nobody") {
  RunningWindow window({.answer = kSoon});
  const Ends ends = window.Connect();
  Write(ends.agent, Post(kAsk) + Get("/v1/whoami"));
  CHECK(ipc::DecodeTokenRequest(RunningWindow::Receive(ends.broker)));
  const std::string answer = ReadAnswer(ends.agent);
  CHECK(StatusOf(answer) == 503);
  CHECK(ReasonOf(answer) == "overloaded");
  CHECK(AtEnd(ends.agent));
  CHECK_FALSE(ipc::Send(ends.broker.get(), Answer(200, R"({"late":true})")));
}

TEST_CASE("A broker that stalls in the middle of an answer holds up no other connection") {
  RunningWindow window;
  const Ends ends = window.Connect();
  Write(ends.agent, Get("/v1/whoami"));
  CHECK(ipc::DecodePlainRequest(RunningWindow::Receive(ends.broker)));
  const std::string body = "{\"a\":\"" + std::string(70'000, 'x') + "\"}";
  const std::string whole = Answer(200, body);
  SendFrame(ends.broker, '\1' + whole.substr(0, 30'000));
  CheckServes(window);
  SendFrame(ends.broker, '\1' + whole.substr(30'000, 30'000));
  CheckServes(window);
  SendFrame(ends.broker, '\0' + whole.substr(60'000));
  CHECK(BodyOf(ReadAnswer(ends.agent)) == body);
  // And the connection goes on.
  Write(ends.agent, Get("/v1/whoami"));
  CHECK(ipc::DecodePlainRequest(RunningWindow::Receive(ends.broker)));
  Send(ends.broker, Answer(200, "{}"));
  CHECK(BodyOf(ReadAnswer(ends.agent)) == "{}");
}

TEST_CASE("A question longer than the broker's queue is sent as the broker reads") {
  constexpr int kOneFrame = 16'500;  // the kernel doubles it
  RunningWindow window({}, "");
  const Ends ends = window.Connect(kOneFrame);
  const Ends other = window.Connect();
  for (int i = 0; i < 2; ++i) {
    const std::string body = "{\"sealed\":\"" + std::string(65'000, 's') + "\"}";
    Write(ends.agent,
          "PUT /v1/credentials/aid/secret HTTP/1.1\r\nHost: x\r\nContent-Type: "
          "application/json\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n" + body);
    // More rounds than the body takes to arrive: by then the window has met the full queue.
    for (int round = 0; round < 40; ++round) {
      Write(other.agent, Get("/healthz"));
      CHECK(StatusOf(ReadAnswer(other.agent)) == 200);
    }
    const auto admin = ipc::DecodeAdminRequest(RunningWindow::Receive(ends.broker));
    REQUIRE(admin);
    CHECK(admin->body == body);
    Send(ends.broker, Answer(200, "{}"));
    CHECK(BodyOf(ReadAnswer(ends.agent)) == "{}");
  }
}

TEST_CASE("What a broker says unasked ends the connection, and is nobody's answer") {
  RunningWindow window;
  const Ends idle = window.Connect();
  Send(idle.broker, Answer(200, R"({"unasked":true})"));
  CHECK(AtEnd(idle.agent));

  // Two answers to one request: the second is not for the next.
  const Ends twice = window.Connect();
  Write(twice.agent, Get("/v1/whoami"));
  CHECK(ipc::DecodePlainRequest(RunningWindow::Receive(twice.broker)));
  Send(twice.broker, Answer(200, R"({"first":true})"));
  Send(twice.broker, Answer(200, R"({"second":true})"));
  CHECK(BodyOf(ReadAnswer(twice.agent)) == R"({"first":true})");
  CHECK(AtEnd(twice.agent));
  CheckServes(window);
}

TEST_CASE("Descriptors from the broker are nonsense, and are closed") {
  RunningWindow window;
  const Ends ends = window.Connect();
  Write(ends.agent, Get("/v1/whoami"));
  CHECK(ipc::DecodePlainRequest(RunningWindow::Receive(ends.broker)));
  int pipe_ends[2];
  REQUIRE(pipe2(pipe_ends, O_CLOEXEC) == 0);
  const ipc::Fd reader(pipe_ends[0]);
  {
    const ipc::Fd writer(pipe_ends[1]);
    REQUIRE(ipc::Send(ends.broker.get(), Answer(200, "{}"), {writer.get()}));
  }
  CHECK(ReasonOf(ReadAnswer(ends.agent)) == "restarting");
  char c = 0;
  CHECK(read(reader.get(), &c, 1) == 0);  // no copy of the other end is left
}

TEST_CASE(
    "A peer that hangs up is noticed while the broker works; one that is done sending is not") {
  RunningWindow window;
  Ends gone = window.Connect();
  Write(gone.agent, Post(kAsk));
  CHECK(ipc::DecodeTokenRequest(RunningWindow::Receive(gone.broker)));
  gone.agent.Reset();
  CHECK(RunningWindow::Receive(gone.broker).empty());

  const Ends done = window.Connect();
  Write(done.agent, Post(kAsk));
  shutdown(done.agent.get(), SHUT_WR);
  CHECK(ipc::DecodeTokenRequest(RunningWindow::Receive(done.broker)));
  CheckServes(window);
  Send(done.broker, Answer(200, R"({"done":true})"));
  CHECK(BodyOf(ReadAnswer(done.agent)) == R"({"done":true})");
  CHECK(AtEnd(done.agent));
}

TEST_CASE("What a peer sends while it is answered stays outside, and is served in its order") {
  RunningWindow window;
  const Ends ends = window.Connect();
  Write(ends.agent, Post(kAsk));
  CHECK(ipc::DecodeTokenRequest(RunningWindow::Receive(ends.broker)));
  // As much as the kernel takes: the window takes none of it.
  const std::string next = Get("/healthz");
  size_t sent = 0;
  fcntl(ends.agent.get(), F_SETFL, O_NONBLOCK);
  while (send(ends.agent.get(), next.data(), next.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(next.size())) {
    ++sent;
  }
  CheckServes(window);
  char c = 0;
  CHECK(send(ends.agent.get(), &c, 1, MSG_NOSIGNAL) < 0);
  CHECK(sent > 0);
  Send(ends.broker, Answer(200, R"({"mine":true})"));
  fcntl(ends.agent.get(), F_SETFL, 0);
  CHECK(BodyOf(ReadAnswer(ends.agent)) == R"({"mine":true})");
  for (size_t i = 0; i < sent && i < 50; ++i) CHECK(StatusOf(ReadAnswer(ends.agent)) == 200);
  CheckServes(window);
}

TEST_CASE("A peer that does not read its answer costs nobody else's time, and not for ever") {
  const std::string large = "{\"a\":\"" + std::string(900'000, 'x') + "\"}";
  const auto ask = [&large](RunningWindow& window) {
    Ends ends = window.Connect();
    Write(ends.agent, Get("/v1/whoami"));
    CHECK(ipc::DecodePlainRequest(RunningWindow::Receive(ends.broker)));
    Send(ends.broker, Answer(200, large));
    CheckServes(window);
    return ends;
  };
  RunningWindow patient;
  const Ends slow = ask(patient);
  CHECK(BodyOf(ReadAnswer(slow.agent)) == large);
  Write(slow.agent, Get("/healthz"));
  CHECK(StatusOf(ReadAnswer(slow.agent)) == 200);

  RunningWindow impatient({.write = kSoon});
  const Ends never = ask(impatient);
  CHECK(RunningWindow::Receive(never.broker).empty());
  CHECK(BodyOf(ReadAnswer(never.agent)).size() < large.size());
}

TEST_CASE("Bytes for which the broker has gone are answered, and idle connections end with it") {
  RunningWindow window;
  Ends begun = window.Connect();
  Ends idle = window.Connect();
  Write(begun.agent, "GET /v1/whoami HTTP/1.1\r\n");
  CheckServes(window);
  begun.broker.Reset();
  idle.broker.Reset();
  CHECK(AtEnd(idle.agent));
  Write(begun.agent, "Host: x\r\n\r\n");
  CHECK(ReasonOf(ReadAnswer(begun.agent)) == "restarting");
  CHECK(AtEnd(begun.agent));
}
