// broker/timed_http.h: exchanges with Entra, and what the ledger will say about the last one.
#pragma once
#include <string>
#include <string_view>

#include "broker/entra/token_response.h"
#include "broker/mint_step.h"
#include "broker/ports/clock.h"
#include "broker/ports/http_transport.h"

namespace broker {

/// One attempt's. Borrows both.
class TimedHttp {
 public:
  /// `url`: where the first exchange will go.
  TimedHttp(HttpTransport& http, const Clock& clock, std::string_view url);

  Result<HttpResponse> Send(const HttpRequest& request);
  /// Sends to the token endpoint and reads the token for `resource`.
  MintStep<entra::TokenResponse> SendForToken(const HttpRequest& request,
                                              std::string_view resource);

  /// Of the last exchange: before the request left; where it went; its status, 0 without an answer.
  [[nodiscard]] Clock::Steady asked_at() const { return asked_at_; }
  [[nodiscard]] const std::string& host() const { return host_; }
  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] std::chrono::milliseconds took() const { return took_; }

 private:
  HttpTransport& http_;
  const Clock& clock_;
  Clock::Steady asked_at_{};
  std::string host_;
  int status_ = 0;
  std::chrono::milliseconds took_{0};
};

}  // namespace broker
