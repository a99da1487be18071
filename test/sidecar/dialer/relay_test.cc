#include "sidecar/dialer/relay.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <thread>

#include "test/sidecar/dialer/loopback.h"

using namespace std::chrono_literals;
using sidecar::dialer::Relay, sidecar::dialer::RelayLimits;

namespace {

/// client <-> (near | relay | far) <-> server
struct Path {
  Path() {
    std::tie(client, near) = StreamPair();
    std::tie(far, server) = StreamPair();
  }
  void Start(RelayLimits limits = {}) {
    thread = std::jthread([this, limits] {
      Relay(near.get(), far.get(), limits);
      near.Reset();
      far.Reset();
    });
  }
  sidecar::ipc::Fd client, near, far, server;
  std::jthread thread;
};

std::string Pattern(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 + i / 251);
  return bytes;
}

}  // namespace

TEST_CASE("megabytes pass unchanged in both directions at once") {
  Path path;
  path.Start();
  const std::string up = Pattern(3'000'001);
  const std::string down = Pattern(2'000'003);
  const std::jthread client([&] {
    WriteAll(path.client.get(), up);
    shutdown(path.client.get(), SHUT_WR);
  });
  const std::jthread server([&] {
    WriteAll(path.server.get(), down);
    shutdown(path.server.get(), SHUT_WR);
  });
  std::string received_down;
  std::jthread reader([&] { received_down = ReadAll(path.client.get()); });
  const bool up_is_whole = ReadAll(path.server.get()) == up;
  CHECK(up_is_whole);
  reader.join();
  const bool down_is_whole = received_down == down;
  CHECK(down_is_whole);
}

TEST_CASE("an answer sent at the end, followed by a close, arrives whole") {
  Path path;
  path.Start();
  const std::string answer = Pattern(1'000'000);
  shutdown(path.client.get(), SHUT_WR);
  std::jthread server([&] {
    CHECK(ReadAll(path.server.get()).empty());  // the half-close was passed on
    WriteAll(path.server.get(), answer);
    path.server.Reset();
  });
  const bool whole = ReadAll(path.client.get()) == answer;
  CHECK(whole);
}

TEST_CASE("a client that goes away ends the connection to the server") {
  Path path;
  path.Start();
  path.client.Reset();
  CHECK(ReadAll(path.server.get()).empty());
  path.thread.join();
}

TEST_CASE("a server that goes away ends the connection to the client") {
  Path path;
  path.Start();
  path.server.Reset();
  CHECK(ReadAll(path.client.get()).empty());
  path.thread.join();
}

TEST_CASE("an idle connection ends") {
  Path path;
  path.Start({.idle = 1ms, .total = 1h});
  CHECK(ReadAll(path.client.get()).empty());
  CHECK(ReadAll(path.server.get()).empty());
}

TEST_CASE("a connection that is never idle ends, too") {
  Path path;
  REQUIRE(send(path.server.get(), "x", 1, MSG_NOSIGNAL) == 1);  // however late the thread begins
  path.Start({.idle = 1h, .total = 200ms});
  std::jthread busy([&] {
    while (send(path.server.get(), "x", 1, MSG_NOSIGNAL) == 1) {
    }
  });
  CHECK_FALSE(ReadAll(path.client.get()).empty());
}
