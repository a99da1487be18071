#include "sidecar/broker/admin_roles.h"

#include <algorithm>
#include <vector>

namespace sidecar::broker_role {
namespace {

bool InAny(const std::vector<uint32_t>& gids, const broker::policy::Facts& facts) {
  return std::ranges::any_of(gids, [&](uint32_t gid) {
    return gid == facts.gid || std::ranges::find(facts.groups, gid) != facts.groups.end();
  });
}

}  // namespace

bool Holds(const broker::policy::Admin& admin, const broker::policy::Facts& facts,
           AdminRole needed) {
  if (needed == AdminRole::kAnyone || facts.uid == 0 || facts.uid == admin.owner_uid) return true;
  if (needed == AdminRole::kApprover) return InAny(admin.approver_gids, facts);
  if (InAny(admin.operator_gids, facts)) return true;
  return needed == AdminRole::kAuditor && InAny(admin.auditor_gids, facts);
}

std::string_view NameOf(AdminRole role) {
  switch (role) {
    case AdminRole::kAnyone:
      return "anyone";
    case AdminRole::kAuditor:
      return "auditor";
    case AdminRole::kOperator:
      return "operator";
    case AdminRole::kApprover:
      return "approver";
  }
  return "unknown";
}

}  // namespace sidecar::broker_role
