#include "sidecar/cli/complaint.h"

#include <nlohmann/json.hpp>
#include <ostream>

namespace sidecar::cli {

int Complain(const Output& to, const std::string& why, ExitCode code) {
  if (to.json) {
    const nlohmann::ordered_json said = {{"error", "not_done"}, {"error_description", why}};
    // Names of files, which `why` may quote, need not be UTF-8.
    to.out << said.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
  } else {
    to.err << "purser: " << why << '\n';
  }
  return code;
}

}  // namespace sidecar::cli
