// broker/policy/show.h: the configuration as it is in force, defaults and all.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "broker/policy/config.h"

namespace broker::policy {

/// TOML that parses to the same configuration; values that are defaults carry a comment, values
/// that the cloud's name stands for are comments.
std::string ShowConfig(const Config& config);
/// The same as one JSON object, shaped like the TOML, with "sha256" of the files beside it.
nlohmann::ordered_json ConfigAsJson(const Config& config);

}  // namespace broker::policy
