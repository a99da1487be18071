// broker/tenant_resolver.h: the tenant's GUID, also where the configuration names a domain.
#pragma once
#include <chrono>
#include <expected>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "broker/policy/config.h"
#include "broker/ports/clock.h"
#include "broker/ports/http_transport.h"
#include "broker/reason.h"

namespace broker {

/// Tokens name their tenant by GUID only. A domain is therefore looked up once per process in the
/// authority's discovery document, over the same TLS that the tokens come over; until that has
/// worked, no token of that tenant is minted. Thread-safe. Borrows both.
class TenantResolver {
 public:
  // After a lookup that failed nobody asks for so long, or until the Retry-After has passed: users'
  // tokens are looked at before any UpstreamGuard is.
  static constexpr std::chrono::seconds kFailurePause{10};

  TenantResolver(HttpTransport& http, const Clock& clock) : http_(http), clock_(clock) {}

  /// One request at most, which those who ask meanwhile wait for; what it refused is told until the
  /// pause has passed, and the caller's UpstreamGuard remembers it longer. Refuses:
  /// kUpstreamUnavailable, kUpstreamThrottled, kUpstreamRejected (no such tenant),
  /// kUpstreamInvalid; with retry_after where Entra named one.
  std::expected<std::string, Refusal> Resolve(const policy::Tenant& tenant);

 private:
  struct Known {
    std::mutex turn;             // who holds it asks
    std::string guid;            // empty: not known yet
    Refusal trouble;             // of the last lookup, when it failed
    Clock::Steady not_before{};  // of the next one
  };
  /// What is known, be it that nobody may ask now; nothing: somebody should.
  std::optional<std::expected<std::string, Refusal>> Find(Known& known);
  std::expected<std::string, Refusal> Ask(const std::string& url);

  HttpTransport& http_;
  const Clock& clock_;
  std::mutex mutex_;                    // of what is known; never held while anybody is asked
  std::map<std::string, Known> known_;  // by discovery URL; elements do not move
};

}  // namespace broker
