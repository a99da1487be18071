// sidecar/broker/metered_transport.h: counts what is asked of whom, and how long it took.
#pragma once
#include <string>
#include <string_view>

#include "broker/metrics.h"
#include "broker/ports/clock.h"
#include "broker/ports/http_transport.h"

namespace sidecar::broker_role {

/// Thread-safe. Borrows all.
class MeteredTransport final : public broker::HttpTransport {
 public:
  MeteredTransport(broker::HttpTransport& http, const broker::Clock& clock,
                   broker::Metrics& metrics)
      : http_(http), clock_(clock), metrics_(metrics) {}

  broker::Result<broker::HttpResponse> Send(const broker::HttpRequest& request) override {
    const auto asked_at = clock_.Now();
    auto response = http_.Send(request);
    metrics_.Asked(HostOf(request.url), clock_.Now() - asked_at, response ? response->status : 0);
    return response;
  }

 private:
  // Without a path, a query or what stands before an '@': those may be a caller's.
  static std::string HostOf(std::string_view url) {
    const size_t start = url.find("://");
    url.remove_prefix(start == url.npos ? 0 : start + 3);
    url = url.substr(0, url.find_first_of("/?#"));
    const size_t at = url.rfind('@');
    return std::string(url.substr(at == url.npos ? 0 : at + 1));
  }

  broker::HttpTransport& http_;
  const broker::Clock& clock_;
  broker::Metrics& metrics_;
};

}  // namespace sidecar::broker_role
