#include "sidecar/cli/metrics_listener.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

using sidecar::cli::MetricsListener, sidecar::cli::ScrapeStatus;

namespace {

const std::string kAsk = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:9464\r\n\r\n";

// One that connects, writes, and reads to the end.
class Collector {
 public:
  explicit Collector(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  ~Collector() { close(fd_); }
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  void Write(const std::string& bytes) const {
    REQUIRE(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
  }
  // While the listener serves.
  std::string Read(MetricsListener& listener, const MetricsListener::Fetch& fetch) const {
    std::string all;
    while (true) {
      char bytes[65536];
      const ssize_t got = recv(fd_, bytes, sizeof bytes, MSG_DONTWAIT);
      if (got == 0 || (got < 0 && errno != EAGAIN)) return all;
      if (got > 0) all.append(bytes, static_cast<size_t>(got));
      if (got < 0) listener.Serve(fetch);
    }
  }

 private:
  int fd_;
};

}  // namespace

TEST_CASE("GET /metrics of this machine is served, and nothing else") {
  // clang-format off
  struct Row { const char* why; std::string head; int status; };
  const Row rows[] = {
      {"as Prometheus asks",         "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:9464\r\nAccept: text/plain\r\n", 200},
      {"by the machine's own name",  "GET /metrics HTTP/1.0\r\nhost: localhost\r\n",           200},
      {"by IPv6",                    "GET /metrics HTTP/1.1\r\nHOST:[::1]:9464\r\n",           200},
      {"another path",               "GET / HTTP/1.1\r\nHost: localhost\r\n",                  404},
      {"a route of operators",       "GET /v1/status HTTP/1.1\r\nHost: localhost\r\n",         404},
      {"with a query",               "GET /metrics?x=1 HTTP/1.1\r\nHost: localhost\r\n",       404},
      {"a kill",                     "POST /v1/kill HTTP/1.1\r\nHost: localhost\r\n",          405},
      {"another method",             "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n",          405},
      {"a page's name of its own",   "GET /metrics HTTP/1.1\r\nHost: evil.example:9464\r\n",   421},
      {"a name that begins alike",   "GET /metrics HTTP/1.1\r\nHost: localhost.evil\r\n",      421},
      {"no host",                    "GET /metrics HTTP/1.1\r\n",                              400},
      {"two hosts",                  "GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: a\r\n", 400},
      {"another protocol",           "GET /metrics HTTP/2\r\nHost: localhost\r\n",             400},
      {"no version",                 "GET /metrics\r\nHost: localhost\r\n",                    400},
      {"nothing",                    "",                                                       400},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(ScrapeStatus(row.head) == row.status);
  }
}

TEST_CASE("Only loopback addresses are listened on") {
  for (const char* address : {"0.0.0.0:9464", "[::]:9464", "192.168.1.1:9464", "localhost:9464",
                              "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
                              "::1:9464", "127.1:9464", ":9464", "", "[::1]", "128.0.0.1:1"}) {
    CAPTURE(address);
    const auto listener = MetricsListener::Open(address);
    REQUIRE_FALSE(listener.has_value());
    CHECK(listener.error().code == broker::ErrorCode::kInvalidRequest);
  }
  const auto one = MetricsListener::Open("127.0.0.1:0");
  REQUIRE(one.has_value());
  CHECK_FALSE(MetricsListener::Open("127.0.0.1:" + std::to_string(one->port())).has_value());
}

TEST_CASE(
    "A collector gets all of it, others meanwhile wait for nobody, and nothing is asked twice") {
  auto listener = MetricsListener::Open("127.0.0.1:0");
  REQUIRE(listener.has_value());
  int asked = 0;
  const std::string text(1 << 20, 'm');
  const auto fetch = [&]() -> broker::Result<std::string> {
    ++asked;
    return text;
  };
  const Collector slow(listener->port()), silent(listener->port()), quick(listener->port());
  slow.Write(kAsk.substr(0, 20));
  quick.Write(kAsk);
  const std::string answer = quick.Read(*listener, fetch);
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(answer.ends_with(text));
  slow.Write(kAsk.substr(20));
  CHECK(slow.Read(*listener, fetch).ends_with(text));
  CHECK(asked <= 2);
}

TEST_CASE("What is too long, and a daemon that is away, is said so") {
  auto listener = MetricsListener::Open("127.0.0.1:0");
  REQUIRE(listener.has_value());
  const auto gone = []() -> broker::Result<std::string> {
    return broker::Fail(broker::ErrorCode::kUnavailable, "gone");
  };
  const Collector asks(listener->port());
  asks.Write(kAsk);
  CHECK(asks.Read(*listener, gone).starts_with("HTTP/1.1 503 "));
  const Collector endless(listener->port());
  endless.Write(std::string(MetricsListener::kMaxHeadBytes, 'a'));
  CHECK(endless.Read(*listener, gone).starts_with("HTTP/1.1 400 "));
}

TEST_CASE("Whoever comes when it is full takes the oldest's place") {
  auto listener = MetricsListener::Open("127.0.0.1:0");
  REQUIRE(listener.has_value());
  const auto fetch = []() -> broker::Result<std::string> { return std::string("m"); };
  std::vector<std::unique_ptr<Collector>> idle;
  for (size_t i = 0; i < 3 * MetricsListener::kMaxConnections; ++i) {
    idle.push_back(std::make_unique<Collector>(listener->port()));
  }
  const Collector asks(listener->port());
  asks.Write(kAsk);
  CHECK(asks.Read(*listener, fetch).ends_with("m"));
  CHECK(idle.front()->Read(*listener, fetch).empty());
}
