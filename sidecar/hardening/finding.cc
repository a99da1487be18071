#include "sidecar/hardening/finding.h"

#include <nlohmann/json.hpp>

namespace sidecar::hardening {

std::string ToJson(const Findings& findings) {
  nlohmann::json list = nlohmann::json::array();
  for (const Finding& finding : findings) {
    list.push_back({{"name", finding.name}, {"what", finding.what}, {"remedy", finding.remedy}});
  }
  // A configured path may hold any byte; plain dump() would throw on bad UTF-8.
  return list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace sidecar::hardening
