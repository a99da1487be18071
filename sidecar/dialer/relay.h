// sidecar/dialer/relay.h: bytes in both directions, until one side has had enough.
#pragma once
#include <chrono>

namespace sidecar::dialer {

struct RelayLimits {
  // libcurl takes no connection again that was idle for longer than 118 s.
  std::chrono::milliseconds idle{std::chrono::seconds{120}};
  // No request lasts that long; what does is not one.
  std::chrono::milliseconds total{std::chrono::hours{1}};
};

/// Copies between two connected stream sockets. An end of file is passed on (half-close); returns
/// when both have come, on an error, or at a limit. Makes both sockets non-blocking.
void Relay(int a, int b, const RelayLimits& limits);

}  // namespace sidecar::dialer
