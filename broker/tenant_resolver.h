// broker/tenant_resolver.h: the tenant's GUID, also where the configuration names a domain.
#pragma once
#include <map>
#include <mutex>
#include <string>

#include "broker/policy/config.h"
#include "broker/ports/http_transport.h"
#include "broker/reason.h"

namespace broker {

/// Tokens name their tenant by GUID only. A domain is therefore looked up once per process in the
/// authority's discovery document, over the same TLS that the tokens come over; until that has
/// worked, no token of that tenant is minted. Thread-safe. Borrows `http`.
class TenantResolver {
 public:
  explicit TenantResolver(HttpTransport& http) : http_(http) {}

  /// One request at most, not repeated: what it refuses, the caller's UpstreamGuard remembers.
  /// Refuses: kUpstreamUnavailable, kUpstreamThrottled, kUpstreamRejected (no such tenant),
  /// kUpstreamInvalid; with retry_after where Entra named one.
  std::expected<std::string, Refusal> Resolve(const policy::Tenant& tenant);

 private:
  HttpTransport& http_;
  std::mutex mutex_;
  std::map<std::string, std::string> known_;  // discovery URL -> GUID
};

}  // namespace broker
