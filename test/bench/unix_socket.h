// test/bench/unix_socket.h: addresses of Unix sockets.
#pragma once
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "test/bench/samples.h"

namespace bench {

inline sockaddr_un AddressOf(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) Die("socket path too long");
  std::ranges::copy(path, address.sun_path);
  return address;
}

inline int Connect(std::string_view path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = AddressOf(path);
  if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    Die("connect");
  }
  return fd;
}

}  // namespace bench
