// sidecar/broker/admin_roles.h: who may do what on the operator's socket.
#pragma once
#include <string_view>

#include "broker/policy/config.h"
#include "broker/policy/facts.h"

namespace sidecar::broker_role {

/// An operator holds what an auditor does; an approver's role is apart: who runs purser need not be
/// who may say yes.
enum class AdminRole { kAnyone, kAuditor, kOperator, kApprover };

/// Whether the peer holds `needed`. Roles come from the peer's groups ([admin]); root and
/// the user that purserd runs as hold each. Any peer that may connect holds kAnyone.
bool Holds(const broker::policy::Admin& admin, const broker::policy::Facts& facts,
           AdminRole needed);

/// As [admin] and answers name it: "auditor".
std::string_view NameOf(AdminRole role);

}  // namespace sidecar::broker_role
