#include "sidecar/supervisor/fixed_answer.h"

#include <doctest/doctest.h>

using namespace sidecar::supervisor;

TEST_CASE("A fixed answer is whole HTTP and says whether to come back") {
  const std::string refused = FixedAnswer(broker::Reason::kPeerRefused);
  CHECK(refused.starts_with("HTTP/1.1 403 Forbidden\r\n"));
  CHECK(refused.find("Retry-After") == std::string::npos);
  const std::string body = refused.substr(refused.find("\r\n\r\n") + 4);
  CHECK(refused.find("Content-Length: " + std::to_string(body.size()) + "\r\n") !=
        std::string::npos);
  CHECK(body.find("\"retryable\":false") != std::string::npos);
  const std::string busy = FixedAnswer(broker::Reason::kOverloaded);
  CHECK(busy.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  CHECK(busy.find("Retry-After: 1\r\n") != std::string::npos);
}
