#include "sidecar/cli/loopback_listener.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

using sidecar::cli::LoopbackListener;
using std::chrono::seconds;

namespace {

constexpr const char* kGood = "GET /?good HTTP/1.1\r\n\r\n";

/// Somebody who connects.
class Peer {
 public:
  explicit Peer(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    REQUIRE(fd_ >= 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Peer() { close(fd_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  Peer(Peer&& other) noexcept : fd_(other.fd_), connected_(other.connected_) { other.fd_ = -1; }
  [[nodiscard]] bool connected() const { return connected_; }
  void Say(std::string_view text) const {
    REQUIRE(send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
  }
  [[nodiscard]] int fd() const { return fd_; }
  // What was answered until now.
  [[nodiscard]] std::string Heard() const {
    std::array<char, 4096> bytes;
    const ssize_t got = recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    return {bytes.data(), static_cast<size_t>(got > 0 ? got : 0)};
  }

 private:
  int fd_;
  bool connected_ = false;
};

struct Bench {
  LoopbackListener listener = *LoopbackListener::Open();
  LoopbackListener::Time now{};

  std::optional<broker::Secret> Serve() {
    return listener.Serve(now, [](std::string_view target) { return target == "/?good"; });
  }
  // Whether something came, to the listener or to `other`; the time is a guard against hanging.
  bool Comes(int other = -1) const {
    std::vector<pollfd> polled = {{other, POLLIN, 0}};
    listener.AddTo(&polled);
    return poll(polled.data(), polled.size(), /*timeout=*/30'000) > 0;
  }
  std::optional<broker::Secret> ServeUntilAnswered() {
    while (Comes()) {
      if (auto answer = Serve()) return answer;
    }
    return std::nullopt;
  }
  std::string Answer(std::string_view request) {
    const Peer peer(listener.port());
    peer.Say(request);
    std::string heard;
    while (heard.empty() && Comes(peer.fd())) {
      REQUIRE_FALSE(Serve().has_value());
      heard = peer.Heard();
    }
    return heard;
  }
};

}  // namespace

TEST_CASE("The answer is taken once, and its page repeats nothing of it") {
  Bench bench;
  const Peer peer(bench.listener.port());
  REQUIRE(peer.connected());
  peer.Say(kGood);
  const auto answer = bench.ServeUntilAnswered();
  REQUIRE(answer.has_value());
  CHECK(answer->Expose(broker::Exit::kTest) == "/?good");
  const std::string page = peer.Heard();
  CHECK(page.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(page.find("\r\nReferrer-Policy: no-referrer\r\n") != page.npos);
  CHECK(page.find("good") == page.npos);
  CHECK(page.find("<script") == page.npos);
}

TEST_CASE("Everything else is refused in a few words, and the answer still comes") {
  Bench bench;
  struct Row {
    std::string request;
    const char* status;
  };
  const Row rows[] = {
      {"GET / HTTP/1.1\r\n\r\n", "400"},     {"GET /?goo HTTP/1.1\r\n\r\n", "400"},
      {"GET /good HTTP/1.1\r\n\r\n", "404"}, {"POST /?good HTTP/1.1\r\n\r\n", "405"},
      {"nonsense\r\n\r\n", "400"},           {std::string(33'000, 'x'), "431"}};
  for (const Row& row : rows) {
    CAPTURE(row.request.substr(0, 40));
    const std::string answer = bench.Answer(row.request);
    CHECK(answer.starts_with("HTTP/1.1 " + std::string(row.status)));
    CHECK(answer.size() < 600);
  }
  const Peer peer(bench.listener.port());
  peer.Say(kGood);
  CHECK(bench.ServeUntilAnswered().has_value());
}

TEST_CASE("Who says nothing is waited for ten seconds, whatever else arrives") {
  Bench bench;
  const Peer silent(bench.listener.port());
  CHECK_FALSE(bench.listener.NextDeadline().has_value());
  REQUIRE(bench.Comes());
  REQUIRE_FALSE(bench.Serve().has_value());
  CHECK(bench.listener.NextDeadline() == bench.now + LoopbackListener::kPatience);
  bench.now += seconds(9);
  silent.Say("GET /?g");  // a drop of it prolongs nothing
  REQUIRE_FALSE(bench.Serve().has_value());
  CHECK(silent.Heard().empty());
  bench.now += seconds(1);
  REQUIRE_FALSE(bench.Serve().has_value());
  CHECK(silent.Heard().starts_with("HTTP/1.1 408"));
  CHECK_FALSE(bench.listener.NextDeadline().has_value());
}

TEST_CASE("However many are silent, the next one is heard") {
  Bench bench;
  std::vector<Peer> silent;
  for (size_t i = 0; i < 3 * LoopbackListener::kMaxConnections; ++i) {
    silent.emplace_back(bench.listener.port());
    REQUIRE(silent.back().connected());
    REQUIRE(bench.Comes());
    REQUIRE_FALSE(bench.Serve().has_value());
  }
  std::vector<pollfd> polled;
  bench.listener.AddTo(&polled);
  CHECK(polled.size() <= LoopbackListener::kMaxConnections + 2);
  const Peer peer(bench.listener.port());
  peer.Say(kGood);
  CHECK(bench.ServeUntilAnswered().has_value());
}

TEST_CASE("Behind its end nobody listens, and no two have the same port") {
  uint16_t port = 0;
  {
    Bench first;
    Bench second;
    port = first.listener.port();
    CHECK(port != second.listener.port());
    CHECK(Peer(port).connected());
  }
  CHECK_FALSE(Peer(port).connected());
}
