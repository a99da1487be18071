// broker/device_grant.h: the device authorization grant (RFC 8628), whatever it is for.
#pragma once
#include <chrono>
#include <expected>
#include <optional>
#include <string>

#include "broker/entra/device_code.h"
#include "broker/entra/token_request.h"
#include "broker/entra/upstream_error.h"
#include "broker/ports/clock.h"
#include "broker/reason.h"

namespace broker {

/// What the person who logs in is shown. Printable ASCII.
struct DevicePrompt {
  std::string user_code;
  std::string verification_uri;
  std::chrono::seconds expires_in{0};
  std::chrono::seconds interval{0};
};

/// One code, and asking what became of it. Not thread-safe: one per login. Borrows both.
class DeviceGrant {
 public:
  /// RFC 8628 §3.5: what slow_down adds.
  static constexpr std::chrono::seconds kSlowDown{5};
  /// Outages double the interval up to this.
  static constexpr std::chrono::seconds kLongestInterval{60};

  DeviceGrant(HttpTransport& http, const Clock& clock) : http_(http), clock_(clock) {}

  /// Sends `request`, which asks for a code. Refuses what Entra refuses, kUpstreamInvalid.
  std::expected<DevicePrompt, Refusal> Start(const HttpRequest& request);
  /// Asks once whether the person is done. Not yet, or Entra cannot be reached: nothing, and
  /// `interval()` may have grown. Done: the token endpoint's 200. Refuses kLoginRequired when the
  /// person declined or the code expired. REQUIRES: Start() succeeded.
  std::expected<std::optional<HttpResponse>, Refusal> Poll(const entra::Authority& authority,
                                                           const entra::Client& client);
  [[nodiscard]] std::chrono::seconds interval() const { return interval_; }

 private:
  std::expected<std::optional<HttpResponse>, Refusal> Later(const entra::UpstreamError& error);

  HttpTransport& http_;
  const Clock& clock_;
  entra::DeviceCode code_;
  std::chrono::seconds interval_{0};
  Clock::Steady expires_at_{};
};

}  // namespace broker
