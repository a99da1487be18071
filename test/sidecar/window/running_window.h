// A window in this process, with deadlines of the test's choice. The test plays supervisor, broker
// and ledger by itself, so that each waits exactly where it says.
#pragma once
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "broker/base/log.h"
#include "sidecar/window/window.h"
#include "test/sidecar/window/http_peer.h"

namespace window_test {

using sidecar::window::Timing;

inline constexpr std::string_view kAsk = R"({"scopes":["Mail.Read"]})";
// Short enough to wait for, and only where a test does.
inline constexpr std::chrono::milliseconds kSoon{30};

struct Ends {
  ipc::Fd agent;
  ipc::Fd broker;
};

class RunningWindow {
 public:
  explicit RunningWindow(const Timing& timing = {}, std::string agent = "helpdesk")
      : agent_(std::move(agent)) {
    auto control = ipc::MakePair();
    control_ = std::move(control->first);
    thread_ = std::jthread([timing, agent = agent_, end = std::move(control->second)]() mutable {
      const broker::Log log(STDERR_FILENO, "window", false);
      sidecar::window::Window({agent}, std::move(end), timing, log).Run("[]");
    });
    CHECK(ipc::TypeOf(Receive(control_)) == ipc::MessageType::kStarted);
  }

  RunningWindow(const RunningWindow&) = delete;
  RunningWindow& operator=(const RunningWindow&) = delete;
  ~RunningWindow() { control_.Reset(); }  // as if the supervisor had died: it ends by itself

  Ends Connect(int broker_queue_bytes = 0) {
    int ends[2];
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
    auto pair = ipc::MakePair();
    if (broker_queue_bytes > 0) {
      setsockopt(pair->first.get(), SOL_SOCKET, SO_SNDBUF, &broker_queue_bytes,
                 sizeof(broker_queue_bytes));
    }
    std::string message;
    ipc::Encode(ipc::Connection{agent_, agent_.empty(), {}}, &message);
    const ipc::Fd peer(ends[1]);
    CHECK(ipc::Send(control_.get(), message, {peer.get(), pair->first.get()}));
    return {ipc::Fd(ends[0]), std::move(pair->second)};
  }
  /// The ledger's end.
  ipc::Fd AttachReader() {
    auto pair = ipc::MakePair();
    std::string message;
    ipc::Encode(ipc::TextMessage{ipc::MessageType::kReaderChannel, "helpdesk"}, &message);
    CHECK(ipc::Send(control_.get(), message, {pair->first.get()}));
    return std::move(pair->second);
  }
  /// The next message; empty at the end of the channel.
  static std::string Receive(const ipc::Fd& channel) {
    ipc::Message message;
    return ipc::Receive(channel.get(), &message) ? message.bytes : std::string();
  }

 private:
  std::string agent_;
  ipc::Fd control_;
  std::jthread thread_;
};

inline std::string Page(const std::string& body) {
  std::string out;
  ipc::Encode(ipc::AuditPage{body}, &out);
  return out;
}

inline void Send(const ipc::Fd& channel, const std::string& message) {
  REQUIRE(ipc::Send(channel.get(), message));
}

/// One frame as it is, its flag included.
inline void SendFrame(const ipc::Fd& channel, const std::string& frame) {
  REQUIRE(send(channel.get(), frame.data(), frame.size(), MSG_NOSIGNAL) > 0);
}

inline std::string BodyOf(const std::string& answer) {
  return answer.substr(std::min(answer.size(), answer.find("\r\n\r\n") + 4));
}
inline std::string ReasonOf(const std::string& answer) {
  return nlohmann::json::parse(BodyOf(answer), nullptr, false).value("reason", "");
}

/// Nothing else may suffer: checked on a connection of its own.
inline void CheckServes(RunningWindow& window) {
  const Ends other = window.Connect();
  Write(other.agent, Post(kAsk));
  CHECK(ipc::DecodeTokenRequest(RunningWindow::Receive(other.broker)));
  Send(other.broker, Answer(200, R"({"other":true})"));
  CHECK(BodyOf(ReadAnswer(other.agent)) == R"({"other":true})");
}

}  // namespace window_test
