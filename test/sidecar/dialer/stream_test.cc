#include "sidecar/dialer/stream.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "test/fakes/fake_ledger.h"
#include "test/sidecar/dialer/loopback.h"

using namespace std::string_literals;
using sidecar::dialer::ConnectionCount, sidecar::dialer::CurrentHosts, sidecar::dialer::HostList,
    sidecar::dialer::Serve;
using sidecar::ipc::Fd;

namespace {

/// A broker's end of a stream that is being served.
class Stream {
 public:
  Stream(const std::string& hosts, FakeLedger& ledger) : count_(ledger) {
    hosts_.Set(*HostList::Parse(hosts));
    Fd theirs;
    std::tie(mine_, theirs) = StreamPair();
    thread_ = std::jthread([this, owned = std::move(theirs)]() mutable {
      Serve(std::move(owned), {.hosts = hosts_, .count = count_, .log = log_, .limits = {}});
    });
  }
  ~Stream() { mine_.Reset(); }  // before the thread is joined
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  [[nodiscard]] int fd() const { return mine_.get(); }
  void Greet() {
    WriteAll(fd(), "\x05\x01\x00"s);
    CHECK(ReadBytes(fd(), 2) == "\x05\x00"s);
  }
  /// The reply code to a CONNECT.
  int Connect(const std::string& host, uint16_t port) {
    Greet();
    WriteAll(fd(), "\x05\x01\x00\x03"s + static_cast<char>(host.size()) + host +
                       static_cast<char>(port >> 8) + static_cast<char>(port & 0xff));
    const std::string reply = ReadBytes(fd(), 10);
    return reply.size() == 10 ? reply[1] : -1;
  }

 private:
  broker::Log log_{-1, "dialer", false};
  CurrentHosts hosts_;
  ConnectionCount count_;
  Fd mine_;
  std::jthread thread_;
};

}  // namespace

TEST_CASE("a listed host is reached, and the ledger knew before") {
  FakeLedger ledger;
  Listener upstream;
  Stream stream("localhost:" + std::to_string(upstream.port()), ledger);
  REQUIRE(stream.Connect("LOCALHOST", upstream.port()) == 0);
  CHECK(ledger.entries.size() == 1);
  const Fd server = upstream.Accept();
  WriteAll(stream.fd(), "hello");
  CHECK(ReadBytes(server.get(), 5) == "hello");
  WriteAll(server.get(), "welcome");
  CHECK(ReadBytes(stream.fd(), 7) == "welcome");
}

TEST_CASE("an unlisted host is not allowed: no connection, no entry") {
  FakeLedger ledger;
  Listener upstream;
  Stream stream("localhost:" + std::to_string(upstream.port()), ledger);
  CHECK(stream.Connect("127.0.0.1", upstream.port()) == 2);  // same place, not the listed spelling
  CHECK(ReadAll(stream.fd()).empty());
  CHECK(ledger.entries.empty());
}

TEST_CASE("nothing is allowed before a list is committed") {
  FakeLedger ledger;
  Listener upstream;
  Stream stream("", ledger);
  CHECK(stream.Connect("localhost", upstream.port()) == 2);
}

TEST_CASE("a ledger that cannot write stops connections") {
  FakeLedger ledger;
  ledger.fail_with = broker::ErrorCode::kUnavailable;
  Listener upstream;
  Stream stream("localhost:" + std::to_string(upstream.port()), ledger);
  CHECK(stream.Connect("localhost", upstream.port()) == 1);
}

TEST_CASE("a closed port is reported as refused") {
  FakeLedger ledger;
  Listener upstream;
  const uint16_t port = upstream.port();
  upstream.Close();
  Stream stream("127.0.0.1:" + std::to_string(port), ledger);
  CHECK(stream.Connect("127.0.0.1", port) == 5);
  CHECK(ledger.entries.size() == 1);  // an attempt is counted, too
}

TEST_CASE("a name that does not exist is reported as unreachable") {
  FakeLedger ledger;
  Stream stream("no-such-host.invalid:443", ledger);
  CHECK(stream.Connect("no-such-host.invalid", 443) == 4);
}

TEST_CASE("a stream that does not speak SOCKS5 without a password is closed") {
  FakeLedger ledger;
  for (const std::string& bytes : {"GET / HTTP/1.1\r\n\r\n"s, "\x05\x01\x02"s, "\x04\x01\x00"s}) {
    Stream stream("localhost:1", ledger);
    WriteAll(stream.fd(), bytes);
    CHECK(ReadAll(stream.fd()) == "\x05\xff"s);
  }
}

TEST_CASE("through a proxy, the name is left to the proxy") {
  FakeLedger ledger;
  Listener proxy;
  Stream stream("login.invalid:443\nproxy http://127.0.0.1:" + std::to_string(proxy.port()),
                ledger);
  std::jthread served([&] {
    const Fd tunnel = proxy.Accept();
    const std::string expected =
        "CONNECT login.invalid:443 HTTP/1.1\r\nHost: login.invalid:443\r\n\r\n";
    CHECK(ReadBytes(tunnel.get(), expected.size()) == expected);
    WriteAll(tunnel.get(), "HTTP/1.1 200 Connection established\r\n\r\n");
    CHECK(ReadBytes(tunnel.get(), 5) == "hello");
    WriteAll(tunnel.get(), "welcome");
  });
  REQUIRE(stream.Connect("login.invalid", 443) == 0);
  WriteAll(stream.fd(), "hello");
  CHECK(ReadBytes(stream.fd(), 7) == "welcome");
}

TEST_CASE("what a proxy refuses is reported") {
  struct Row {
    const char* answer;
    int reply;
  };
  const Row rows[] = {{"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", 9},
                      {"HTTP/1.1 403 Forbidden\r\n\r\n", 9},
                      {"HTTP/1.1 502 Bad Gateway\r\n\r\n", 4},
                      {"HTTP/1.1 200 OK\r\n\r\nand more", 1},
                      {"", 6}};
  for (const Row& row : rows) {
    CAPTURE(row.answer);
    FakeLedger ledger;
    Listener proxy;
    Stream stream("a.invalid:443\nproxy http://127.0.0.1:" + std::to_string(proxy.port()), ledger);
    std::jthread served([&] {
      const Fd tunnel = proxy.Accept();
      ReadBytes(tunnel.get(), 1);
      WriteAll(tunnel.get(), row.answer);
      shutdown(tunnel.get(), SHUT_WR);
      ReadAll(tunnel.get());
    });
    CHECK(stream.Connect("a.invalid", 443) == row.reply);
  }
}
