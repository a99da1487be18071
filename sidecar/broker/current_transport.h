// sidecar/broker/current_transport.h: the transport of the configuration in force.
#pragma once
#include <memory>
#include <mutex>
#include <utility>

#include "broker/ports/http_transport.h"

namespace sidecar::broker_role {

/// Exchanges under way keep the transport that they started with. Thread-safe.
class CurrentTransport final : public broker::HttpTransport {
 public:
  void Replace(std::shared_ptr<broker::HttpTransport> transport) {
    const std::scoped_lock lock(mutex_);
    transport_ = std::move(transport);
  }
  /// kUnavailable until the first configuration was committed.
  broker::Result<broker::HttpResponse> Send(const broker::HttpRequest& request) override {
    std::shared_ptr<broker::HttpTransport> transport;
    {
      const std::scoped_lock lock(mutex_);
      transport = transport_;
    }
    if (!transport) return broker::Fail(broker::ErrorCode::kUnavailable, "not configured");
    return transport->Send(request);
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<broker::HttpTransport> transport_;
};

}  // namespace sidecar::broker_role
