// test/sidecar/dialer/loopback.h: sockets of this machine for the dialer's tests.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "sidecar/ipc/frame.h"

/// A connected pair of stream sockets.
std::pair<sidecar::ipc::Fd, sidecar::ipc::Fd> StreamPair();

/// Listens on 127.0.0.1, on a port of the kernel's choice.
class Listener {
 public:
  Listener();
  [[nodiscard]] uint16_t port() const { return port_; }
  sidecar::ipc::Fd Accept();
  void Close() { fd_.Reset(); }

 private:
  sidecar::ipc::Fd fd_;
  uint16_t port_ = 0;
};

/// Blocks for exactly `count` bytes; less at the end of file.
std::string ReadBytes(int fd, size_t count);
std::string ReadAll(int fd);
void WriteAll(int fd, std::string_view bytes);
