// sidecar/dialer/stream.h: one stream of the broker, from its greeting to its end.
#pragma once
#include <chrono>
#include <memory>
#include <mutex>

#include "broker/base/log.h"
#include "sidecar/dialer/connection_count.h"
#include "sidecar/dialer/host_list.h"
#include "sidecar/dialer/relay.h"
#include "sidecar/ipc/frame.h"

namespace sidecar::dialer {

/// The host list in force; a reload replaces it between two streams. Thread-safe.
class CurrentHosts {
 public:
  void Set(HostList hosts);
  [[nodiscard]] std::shared_ptr<const HostList> Get() const;

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const HostList> hosts_ = std::make_shared<HostList>();
};

struct StreamLimits {
  // The broker's libcurl sends both SOCKS messages at once; it is local.
  std::chrono::milliseconds handshake{std::chrono::seconds{5}};
  // Below the broker's own deadline for a request, so that it learns why.
  std::chrono::milliseconds connect{std::chrono::seconds{8}};
  RelayLimits relay;
};

/// What all streams share. `hosts`, `count` and `log` outlive every stream.
struct StreamContext {
  const CurrentHosts& hosts;
  ConnectionCount& count;
  const broker::Log& log;
  StreamLimits limits;
};

/// Speaks SOCKS5 on `stream`, connects where the host list allows, relays until the end.
void Serve(ipc::Fd stream, const StreamContext& context);

}  // namespace sidecar::dialer
