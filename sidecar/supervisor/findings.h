// sidecar/supervisor/findings.h: what the roles' self-tests found (the text of kStarted).
#pragma once
#include <string_view>
#include <vector>

#include "broker/base/result.h"
#include "sidecar/hardening/finding.h"

namespace sidecar::supervisor {

using hardening::Finding;

/// Errors: kCorrupt. A role that cannot say what it found is not to be trusted with anything.
broker::Result<std::vector<Finding>> ParseFindings(std::string_view text);

}  // namespace sidecar::supervisor
