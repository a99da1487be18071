#include "sidecar/broker/admin_roles.h"

#include <algorithm>
#include <vector>

#include "broker/policy/entra_people.h"
#include "broker/policy/groups.h"

namespace sidecar::broker_role {
namespace {

using broker::policy::Admin, broker::policy::EntraPeople, broker::policy::Person;

bool Has(const std::vector<AdminRole>& roles, AdminRole role) {
  return std::ranges::find(roles, role) != roles.end();
}

}  // namespace

bool Holds(const Admin& admin, const broker::policy::Facts& facts, AdminRole needed,
           const Person* person, const GivenRoles& given) {
  if (needed == AdminRole::kAnyone || facts.uid == 0 || facts.uid == admin.owner_uid) return true;
  const auto in = [&](const std::vector<uint32_t>& gids, const EntraPeople& people,
                      AdminRole role) {
    return IsInAny(facts, gids) || (person != nullptr && Includes(people, *person)) ||
           Has(given.roles, role);
  };
  const bool approver = in(admin.approver_gids, admin.approver_entra, AdminRole::kApprover);
  if (needed == AdminRole::kApprover) return approver;
  if (in(admin.operator_gids, admin.operator_entra, AdminRole::kOperator)) return true;
  if (needed == AdminRole::kOperator) return false;
  return in(admin.auditor_gids, admin.auditor_entra, AdminRole::kAuditor) ||
         (needed == AdminRole::kAnyRole && approver);
}

bool IsPersonFor(const Admin& admin, AdminRole needed, const Person* person,
                 const GivenRoles& given) {
  if (person == nullptr) return false;
  const EntraPeople& people =
      needed == AdminRole::kApprover ? admin.approver_entra : admin.operator_entra;
  return !SignsPeopleIn(people) || Includes(people, *person) || Has(given.as_person, needed);
}

bool HoldsByAdmin(const Admin& admin, const broker::policy::Facts& facts, AdminRole role,
                  const Person* person) {
  const bool asked = admin.require_person && person != nullptr;
  return Holds(admin, facts, role, person) && (!asked || IsPersonFor(admin, role, person));
}

std::optional<AdminRole> FindRole(std::string_view name) {
  for (const AdminRole role : {AdminRole::kOperator, AdminRole::kApprover, AdminRole::kAuditor}) {
    if (NameOf(role) == name) return role;
  }
  return std::nullopt;
}

std::string_view NameOf(AdminRole role) {
  switch (role) {
    case AdminRole::kAnyone:
      return "anyone";
    case AdminRole::kAnyRole:
      return "operator, approver or auditor";
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
