#include "broker/graph/graph_error.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "broker/base/ascii.h"
#include "broker/base/strict_json.h"

namespace broker::graph {
namespace {

using nlohmann::json;

constexpr size_t kMaxWord = 80;  // of a code or an id: longer ones are prose

// Codes and ids alone are repeated: prose may name people.
std::string Word(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) return {};
  const auto& text = found->get_ref<const std::string&>();
  const bool plain = std::ranges::all_of(
      text, [](char c) { return IsAlnum(c) || c == '_' || c == '-' || c == '.'; });
  return plain && text.size() <= kMaxWord ? text : std::string();
}

json Member(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_object() ? *found : json::object();
}

Fault FaultOf(int status) {
  if (status == 403) return Fault::kMissingPermission;
  if (status == 404) return Fault::kNotFound;
  if (status == 429) return Fault::kThrottled;
  return status >= 500 ? Fault::kUnavailable : Fault::kRefused;
}

}  // namespace

GraphError ReadGraphError(const HttpResponse& response, const std::string& permission) {
  GraphError error;
  error.fault = FaultOf(response.status);
  auto body = ParseStrictJson(response.body.Expose(Exit::kInspectClaims));
  const json about = body && body->is_object() ? Member(*body, "error") : json::object();
  error.code = Word(about, "code");
  error.detail = "Graph answered " + std::to_string(response.status);
  if (!error.code.empty()) error.detail += " " + error.code;
  const std::string id = Word(Member(about, "innerError"), "request-id");
  if (!id.empty()) error.detail += " (request-id " + id + ")";
  if (error.fault == Fault::kMissingPermission && !permission.empty()) {
    error.detail += ": grant " + permission;
  }
  if (response.retry_after) error.retry_after = std::min(*response.retry_after, kMaxRetryAfter);
  if (error.fault == Fault::kThrottled && !error.retry_after) {
    error.retry_after = kDefaultRetryAfter;
  }
  return error;
}

GraphError ReadTransportError(const Error& error) {
  const bool answered = error.code == ErrorCode::kCorrupt;
  return {answered ? Fault::kInvalid : Fault::kUnavailable, {}, "Graph: " + error.detail, {}};
}

}  // namespace broker::graph
