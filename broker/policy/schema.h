// broker/policy/schema.h: a JSON Schema of the configuration, for editors and pipelines.
#pragma once
#include <nlohmann/json.hpp>

namespace broker::policy {

/// JSON Schema draft 2020-12 of purser.toml, made from the parser's own table. What keys mean
/// together is beyond it: `purser config check` has the last word.
nlohmann::ordered_json ConfigSchema();

}  // namespace broker::policy
