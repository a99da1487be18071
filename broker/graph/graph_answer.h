// broker/graph/graph_answer.h: what reading any of Graph's answers begins with.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "broker/base/result.h"
#include "broker/base/secret.h"

namespace broker::graph {

/// kCorrupt: the answer is not what Graph documents. `what` repeats no value of it.
std::unexpected<Error> Bad(const char* what);

/// The member's text; absent, null and anything else are empty.
std::string TextOf(const nlohmann::json& object, const char* name);

/// Errors: kCorrupt (no strict JSON, or no object).
Result<nlohmann::json> ParseObject(const Secret& body);

}  // namespace broker::graph
