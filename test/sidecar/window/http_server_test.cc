#include "sidecar/window/http_server.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using sidecar::window::HttpServer, sidecar::window::Reply;

namespace {

const std::string kSmall = "{}";
const std::string kOther = "{ }";
const std::string kFarther(2 + 64, 'x');  // remembered in the same place as kSmall
const std::string kLarge(500'000, 'x');

}  // namespace

TEST_CASE("A head says what its reply says, whichever were written before") {
  const std::vector<Reply> replies = {
      {.status = 200, .body = kSmall},
      {.status = 403, .body = kSmall},
      {.status = 200, .body = kOther},
      {.status = 200, .body = kFarther},
      {.status = 200, .body = kLarge},
      {.status = 200, .body = kSmall, .close = true},
      {.status = 503, .body = kSmall, .retry_after_s = 1},
      {.status = 503, .body = kSmall, .retry_after_s = 30},
      {.status = 405, .body = kSmall, .allow = "GET, PUT"},
      {.status = 405, .body = kSmall, .allow = "POST"},
      {.status = 405, .body = kSmall},
  };
  HttpServer server(60);
  // Each after each other one.
  for (const Reply& before : replies) {
    for (const Reply& reply : replies) {
      static_cast<void>(server.Head(before));
      const std::string head(server.Head(reply));
      CAPTURE(head);
      CHECK(head.starts_with("HTTP/1.1 " + std::to_string(reply.status) + " "));
      CHECK(head.find("\r\n\r\n") == head.size() - 4);
      const auto has = [&head](const std::string& line) {
        return head.find("\r\n" + line + "\r\n") != std::string::npos;
      };
      CHECK(has("Content-Length: " + std::to_string(reply.body.size())));
      CHECK(has("Content-Type: application/json"));
      CHECK(has("Cache-Control: no-store"));
      CHECK(has("Connection: close") == reply.close);
      CHECK(has("Keep-Alive: timeout=60, max=100000") == !reply.close);
      CHECK((head.find("Retry-After") != std::string::npos) == (reply.retry_after_s > 0));
      if (reply.retry_after_s > 0)
        CHECK(has("Retry-After: " + std::to_string(reply.retry_after_s)));
      CHECK((head.find("\r\nAllow: ") != std::string::npos) == !reply.allow.empty());
      if (!reply.allow.empty()) CHECK(has("Allow: " + reply.allow));
    }
  }
}
