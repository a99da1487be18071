#include "test/sidecar/dialer/loopback.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

using sidecar::ipc::Fd;

std::pair<Fd, Fd> StreamPair() {
  std::array<int, 2> ends{};
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  return {Fd(ends[0]), Fd(ends[1])};
}

Listener::Listener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  REQUIRE(fd_.valid());
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  REQUIRE(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(listen(fd_.get(), 16) == 0);
  REQUIRE(getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
}

Fd Listener::Accept() { return Fd(accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }

std::string ReadBytes(int fd, size_t count) {
  std::string bytes(count, '\0');
  size_t have = 0;
  while (have < count) {
    const ssize_t got = read(fd, bytes.data() + have, count - have);
    if (got <= 0) break;
    have += static_cast<size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

std::string ReadAll(int fd) {
  std::string bytes;
  for (std::string block = ReadBytes(fd, 1 << 16); !block.empty(); block = ReadBytes(fd, 1 << 16)) {
    bytes += block;
  }
  return bytes;
}

void WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}
