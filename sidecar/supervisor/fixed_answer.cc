#include "sidecar/supervisor/fixed_answer.h"

#include "broker/answer.h"

namespace sidecar::supervisor {

std::string FixedAnswer(broker::Reason reason) {
  const broker::ReasonInfo& row = broker::Describe(reason);
  const std::string body = broker::RenderRefusal({.reason = reason}, {}, std::nullopt);
  std::string answer = "HTTP/1.1 " + std::to_string(row.http_status);
  // All that this process ever says.
  answer += row.http_status == 403 ? " Forbidden" : " Service Unavailable";
  answer += "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size());
  if (row.retryable) answer += "\r\nRetry-After: 1";
  return answer + "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n" + body;
}

}  // namespace sidecar::supervisor
