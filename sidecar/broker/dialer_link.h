// sidecar/broker/dialer_link.h: streams to the dialer, the broker's only way to the network.
#pragma once
#include <mutex>

#include "broker/base/result.h"
#include "sidecar/ipc/frame.h"

namespace sidecar::broker_role {

/// Thread-safe.
class DialerLink {
 public:
  /// The channel to a (re)started dialer.
  void Reset(ipc::Fd channel);
  /// One end of a stream socket pair whose other end the dialer now speaks SOCKS5 on. The caller
  /// owns it. Errors: kUnavailable (no dialer, or its queue is full).
  broker::Result<int> OpenStream();

 private:
  std::mutex mutex_;
  ipc::Fd channel_;
};

}  // namespace sidecar::broker_role
