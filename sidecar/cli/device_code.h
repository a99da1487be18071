// sidecar/cli/device_code.h: a person types a code elsewhere, and is waited for.
#pragma once
#include <expected>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "sidecar/cli/daemon_commands.h"

namespace sidecar::cli {

/// Shows where to go and what to type of `begun`, the answer that began it, then asks `poll` at the
/// interval that the daemon names until it is done. `as_whom` ends the sentence: "as yourself.".
/// The last answer, or the ExitCode of what was complained of.
std::expected<nlohmann::json, int> AwaitDeviceCode(
    const Console& console, const nlohmann::json& begun, const std::string& as_whom,
    const std::function<broker::Result<AdminAnswer>()>& poll);

}  // namespace sidecar::cli
