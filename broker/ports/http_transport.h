// broker/ports/http_transport.h: the only door to the network.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/base/result.h"
#include "broker/base/secret.h"

namespace broker {

struct HttpRequest {
  std::string method;  // "GET", "POST"
  /// https, or http of this machine or its own link; host and port must be listed
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;  // nothing secret
  // {"Authorization", "Bearer …"}: whole values, of printable ASCII; anything else is refused.
  std::vector<std::pair<std::string, Secret>> secret_headers;
  std::string content_type;  // empty: no body
  Secret body;
  std::chrono::milliseconds deadline{15000};  // for the whole exchange, connect included
};

struct HttpResponse {
  // Entra's largest answers (a token with many groups, the key set) stay well below.
  static constexpr size_t kMaxBodyBytes = size_t{256} << 10;
  // A challenge names a host and a tenant or two; a longer one is not looked at.
  static constexpr size_t kMaxChallengeBytes = size_t{4} << 10;
  int status = 0;                                   // as received, 100..599
  Secret body;                                      // may hold a token: lives in the arena
  std::optional<std::chrono::seconds> retry_after;  // from Retry-After, seconds or HTTP date
  std::optional<std::chrono::system_clock::time_point> date;  // from Date: the server's clock
  std::string www_authenticate;  // the first one of RFC 9110 §11.6.1; empty: none, or too long
};

class HttpTransport {
 public:
  virtual ~HttpTransport() = default;
  /// One exchange: TLS 1.2 or later, no redirects, no retries. Any HTTP status is a success.
  /// Without TLS only a loopback or link-local address is asked: the endpoint of a managed
  /// identity. Errors: kUnavailable (name, connect, TLS, deadline), kCorrupt (not HTTP, body over
  /// the limit), kDenied (the host is not listed), kInvalidRequest (any other URL, a header that is
  /// no header). Thread-safe; blocks the calling thread.
  virtual Result<HttpResponse> Send(const HttpRequest& request) = 0;
};

}  // namespace broker
