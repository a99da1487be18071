#include "broker/policy/inert.h"

#include <nlohmann/json.hpp>

namespace broker::policy {

std::string Inert(std::string_view text) {
  std::string quoted =
      nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  // ASCII to JSON, a command to some terminals.
  for (size_t at = 0; (at = quoted.find('\x7f', at)) != std::string::npos;) {
    quoted.replace(at, 1, "\\u007f");
  }
  return quoted;
}

}  // namespace broker::policy
