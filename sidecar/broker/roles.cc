#include "sidecar/broker/roles.h"

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

bool Holds(const broker::policy::Admin& admin, const broker::policy::Facts& facts, Role needed) {
  if (needed == Role::kAnyone || facts.uid == 0 || facts.uid == admin.owner_uid) return true;
  if (InAny(admin.operator_gids, facts)) return true;
  return needed == Role::kAuditor && InAny(admin.auditor_gids, facts);
}

std::string_view NameOf(Role role) {
  switch (role) {
    case Role::kAnyone:
      return "anyone";
    case Role::kAuditor:
      return "auditor";
    case Role::kOperator:
      return "operator";
  }
  return "unknown";
}

}  // namespace sidecar::broker_role
