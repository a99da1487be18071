// broker/graph/graph_error.h: what a refusal of Microsoft Graph means for purser.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "broker/ports/http_transport.h"

namespace broker::graph {

/// By what is done about it.
enum class Fault : uint8_t {
  kNoToken,            // no token for Graph could be had: nothing was asked
  kMissingPermission,  // 403: somebody has to grant one
  kNotFound,           // 404
  kThrottled,          // 429: not before `retry_after`
  kUnavailable,        // 5xx, or no answer at all: whether it was done is not known
  kRefused,            // any other status: asking again changes nothing
  kInvalid,            // not an answer of Graph: whether it was done is not known
};

struct GraphError {
  Fault fault = Fault::kRefused;
  std::string code;  // as sent, "Request_ResourceNotFound"; empty where it is no such word
  std::string
      detail;  // for operators: status, code, request id, what to grant. Never prose of Graph
  std::optional<std::chrono::seconds> retry_after;
};

// A longer wait is not believed.
inline constexpr std::chrono::seconds kMaxRetryAfter{3600};
// For a 429 that does not say.
inline constexpr std::chrono::seconds kDefaultRetryAfter{60};

/// Reads an answer whose status is not 2xx (Microsoft Graph, "error responses"). Never fails.
/// `permission`: what the request needs, for the sentence of a 403:
/// "Application.ReadWrite.OwnedBy of an owner".
GraphError ReadGraphError(const HttpResponse& response, const std::string& permission);
/// The same for an exchange that brought no answer.
GraphError ReadTransportError(const Error& error);

}  // namespace broker::graph
