// broker/answer.h: the bodies of answers, as JSON (API.md). Pure; used by broker and window.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker/ports/clock.h"
#include "broker/ports/token_cache.h"
#include "broker/reason.h"

namespace broker {

/// Where the ledger has the entry of this answer.
struct AuditRef {
  std::string log;  // the instance's name
  uint64_t seq = 0;
  std::string leaf;  // hex
};

/// Appends `text` as a JSON string with its quotes. What is no valid UTF-8 becomes U+FFFD, so that
/// the document stays one whatever a peer sent.
void AppendJsonString(std::string_view text, std::string* out);

/// {"error":…,"reason":…,"error_description":…,"retryable":…,"action":…,"request_id":…,"audit":{…}}.
/// The description is the reason's own with the hint after it; `detail` is never in it.
std::string RenderRefusal(const Refusal& refusal, std::string_view request_id,
                          const std::optional<AuditRef>& audit);

/// Appends the body of a successful POST /v1/token (RFC 6749 §5.1 with purser's own members).
/// Lifetimes count from `now`. `*out` grows once, so that no copy of the token stays behind in a
/// block it outgrew; the caller wipes it after use.
void RenderToken(const AccessToken& token, Clock::Steady now, std::string_view request_id,
                 const AuditRef& audit, std::string* out);

}  // namespace broker
