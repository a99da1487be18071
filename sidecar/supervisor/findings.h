// sidecar/supervisor/findings.h: what the roles' self-tests found (the text of kStarted).
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"

namespace sidecar::supervisor {

struct Finding {
  std::string name;    // "broker_opens_ledger"
  std::string what;    // what was possible
  std::string remedy;  // what to do about it
  bool operator==(const Finding&) const = default;
};

/// Errors: kCorrupt. A role that cannot say what it found is not to be trusted with anything.
broker::Result<std::vector<Finding>> ParseFindings(std::string_view text);

}  // namespace sidecar::supervisor
