#include "sidecar/broker/guarded_handler.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <new>
#include <stdexcept>

#include "sidecar/ipc/messages.h"

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

TEST_CASE("A handler that throws costs its request alone, and what it had written is dropped") {
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
    const auto guarded = Guarded(
        [&row](const Peer&, std::string_view, std::string* answer) {
          *answer = "half an answer";
          row.fail();
        },
        log);
    std::string bytes;
    guarded({{"helpdesk", {}, {}}, false}, "q", &bytes);
    const auto answer = ipc::DecodeAnswer(bytes);
    REQUIRE(answer.has_value());
    CHECK(answer->status == row.status);
    CHECK(answer->body.find(row.reason) != std::string_view::npos);
    const std::string logged = pipe.Text();
    CHECK(logged.find("agent=helpdesk") != std::string::npos);
    CHECK(logged.find("a-secret") == std::string::npos);
  }
}

TEST_CASE("An answer passes unchanged") {
  const LogPipe pipe;
  const broker::Log log(pipe.writer(), "broker", false);
  std::string answer;
  Guarded([](const Peer&, std::string_view request, std::string* out) { *out = request; }, log)(
      {}, "q", &answer);
  CHECK(answer == "q");
}
