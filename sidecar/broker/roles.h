// sidecar/broker/roles.h: who may do what on the operator's socket.
#pragma once
#include <string_view>

#include "broker/policy/config.h"
#include "broker/policy/facts.h"

namespace sidecar::broker_role {

enum class Role { kAnyone, kAuditor, kOperator };

/// Whether the peer holds `needed`. Roles come from the peer's groups ([admin]); root, the user
/// that purserd runs as, and an operator hold each. Any peer that may connect holds kAnyone.
bool Holds(const broker::policy::Admin& admin, const broker::policy::Facts& facts, Role needed);

std::string_view NameOf(Role role);

}  // namespace sidecar::broker_role
