// sidecar/broker/admin_alive.h: what the answer to each stop ends with.
#pragma once
#include <nlohmann/json.hpp>

#include "broker/outstanding.h"

namespace sidecar::broker_role {

/// Adds to `body` the tokens that work until they expire (`alive`, the longest-lived first), how
/// many more there may be (`alive_more`), from when on purser knows (`alive_since`), and why others
/// from before that may be alive (`alive_unknown`; absent: none is).
void AddAlive(const broker::Outstanding::List& list, nlohmann::json* body);

}  // namespace sidecar::broker_role
