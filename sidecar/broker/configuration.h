// sidecar/broker/configuration.h: the configuration as the supervisor hands it over.
#pragma once
#include <memory>

#include "broker/base/result.h"
#include "broker/broker.h"
#include "broker/ports/http_transport.h"
#include "sidecar/broker/curl_transport.h"

namespace sidecar::broker_role {

struct Prepared {
  broker::SharedConfig config;
  std::shared_ptr<broker::HttpTransport> transport;  // trusts the configured roots
};

/// Reads the sealed memfd and the CA bundle. The broker parses the same bytes that the supervisor
/// parsed: both must come to the same configuration, or neither takes it.
/// Errors: kInvalidRequest (the first diagnostic) · kUnavailable (cannot be read, or too large).
broker::Result<Prepared> Prepare(int config_fd, int ca_fd, CurlTransport::OpenDialerStream open);

}  // namespace sidecar::broker_role
