#include "broker/graph/graph_answer.h"

#include "broker/base/strict_json.h"

namespace broker::graph {

using nlohmann::json;

std::unexpected<Error> Bad(const char* what) {
  return Fail(ErrorCode::kCorrupt, std::string("Graph's answer: ") + what);
}

std::string TextOf(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<json> ParseObject(const Secret& body) {
  auto parsed = ParseStrictJson(body.Expose(Exit::kInspectClaims));
  if (!parsed) return Bad(parsed.error().detail.c_str());
  if (!parsed->is_object()) return Bad("not an object");
  return std::move(*parsed);
}

}  // namespace broker::graph
