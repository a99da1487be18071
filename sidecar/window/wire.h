// sidecar/window/wire.h: what an agent's bytes mean. Pure: header values and a body in, values out.
#pragma once
#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "broker/reason.h"
#include "broker/token_request.h"
#include "sidecar/window/head.h"

namespace sidecar::window {

/// POST /v1/token: a JSON object, or the form of RFC 6749 §4.4.2 with
/// grant_type=client_credentials. Whatever is not known, has another type, occurs twice or is over
/// a limit of TokenRequest is refused with a hint that names the field and what to send; the hint
/// quotes no value. Whether the scopes name one resource is for the broker, which knows the cloud.
std::expected<broker::TokenRequest, broker::Refusal> ParseTokenRequest(const Head& head,
                                                                       std::string_view body);

/// The N of GET /v1/audit?after=N; 0 without a query.
std::expected<uint64_t, broker::Refusal> ParseAuditQuery(std::string_view query);

/// The body of an admin route: empty, or a JSON object under Content-Type application/json. What is
/// in it is for the broker to read.
std::expected<void, broker::Refusal> CheckAdminBody(const Head& head, std::string_view body);

/// The N of a Prefer header with wait=N (RFC 7240 §4.3), at most TokenRequest::kMaxWait; 0 where it
/// is absent or is something else: a preference that is not understood is ignored.
std::chrono::seconds WaitOf(std::string_view prefer);

/// The trace id of a W3C traceparent header (Trace Context level 1 §3.2), or "" where it is absent
/// or malformed: that specification has a receiver start a trace anew, and telemetry that is out of
/// order must not cost anybody a token.
std::string TraceIdOf(std::string_view traceparent);

}  // namespace sidecar::window
