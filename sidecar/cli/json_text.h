// sidecar/cli/json_text.h: members of the daemon's answers as a person reads them.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace sidecar::cli {

inline std::string Text(const nlohmann::json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// "-" where there is none.
inline std::string Field(const nlohmann::json& object, const char* name) {
  return object.contains(name) ? Text(object[name]) : "-";
}

/// With single spaces between; "-" where there are none.
inline std::string JoinTexts(const nlohmann::json& values) {
  std::string joined;
  for (const nlohmann::json& value : values) joined += (joined.empty() ? "" : " ") + Text(value);
  return joined.empty() ? "-" : joined;
}

}  // namespace sidecar::cli
