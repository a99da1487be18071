// sidecar/cli/refusal_search.h: recent refused connections, for `purser explain --refused`.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "broker/base/result.h"

namespace sidecar::cli {

// More are found with `purser audit search --type connection.refused`.
inline constexpr size_t kRecentRefusals = 20;

/// The last refused connections to the socket of `agent`, or the operator's where that is empty,
/// oldest first. Errors: kUnavailable.
broker::Result<std::vector<nlohmann::json>> RecentRefusals(const std::string& folder,
                                                           const std::string& agent);

}  // namespace sidecar::cli
