#include "sidecar/broker/guarded_handler.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <new>
#include <stdexcept>

#include "sidecar/ipc/messages.h"
#include "test/sidecar/broker/running_connections.h"

using namespace sidecar;
using namespace sidecar::broker_role;

namespace {

class LogPipe {
 public:
  LogPipe() { REQUIRE(pipe(ends_.data()) == 0); }
  ~LogPipe() {
    close(ends_[0]);
    close(ends_[1]);
  }
  int writer() const { return ends_[1]; }
  std::string Text() const {
    std::array<char, 1024> bytes{};
    const ssize_t got = read(ends_[0], bytes.data(), bytes.size());
    return {bytes.data(), got > 0 ? static_cast<size_t>(got) : 0};
  }

 private:
  std::array<int, 2> ends_{};
};

}  // namespace

TEST_CASE("A handler that throws costs its request alone") {
  const LogPipe pipe;
  const broker::Log log(pipe.writer(), "broker", false);
  struct Row {
    std::function<void()> fail;
    int status;
    const char* reason;
  };
  for (const Row& row : {Row{[] { throw std::bad_alloc(); }, 503, "overloaded"},
                         Row{[] { throw std::runtime_error("a-secret"); }, 500, "internal"},
                         Row{[] { throw 1; }, 500, "internal"}}) {
    RunningConnections running(
        Guarded([&row](std::string_view, const Connections::Answerer&) { row.fail(); }, log));
    const ipc::Fd window = running.Add("helpdesk");
    const std::string bytes = AskOver(window, "q");
    const auto answer = ipc::DecodeAnswer(bytes);
    REQUIRE(answer.has_value());
    CHECK(answer->status == row.status);
    CHECK(answer->body.find(row.reason) != std::string_view::npos);
    const std::string logged = pipe.Text();
    CHECK(logged.find("agent=helpdesk") != std::string::npos);
    CHECK(logged.find("a-secret") == std::string::npos);
  }
}

TEST_CASE("What a handler answered before it threw stands") {
  const LogPipe pipe;
  const broker::Log log(pipe.writer(), "broker", false);
  RunningConnections running(Guarded(
      [](std::string_view request, const Connections::Answerer& answerer) {
        std::string answer(request);
        answerer.Send(&answer);
        throw std::bad_alloc();
      },
      log));
  const ipc::Fd window = running.Add("helpdesk");
  CHECK(AskOver(window, "q") == "q");
  CHECK(AskOver(window, "r") == "r");
}
