// sidecar/broker/admin_roles.h: who may do what on the operator's socket.
#pragma once
#include <optional>
#include <string_view>
#include <vector>

#include "broker/policy/config.h"
#include "broker/policy/facts.h"
#include "broker/policy/person.h"

namespace sidecar::broker_role {

/// An operator holds what an auditor does; an approver's role is apart: who runs purser need not be
/// who may say yes.
enum class AdminRole {
  kAnyone,   // who may connect; where people sign in, that is everybody but agents
  kAnyRole,  // one of those below
  kAuditor,
  kOperator,
  kApprover,
};

/// What somebody holds for a time (timed_roles.h).
struct GivenRoles {
  std::vector<AdminRole> roles;
  std::vector<AdminRole> as_person;  // those of them that were given to who is signed in
};

/// Whether the peer holds `needed`, by its groups, by who is signed in (null: nobody is), or for a
/// time. Root and the user that purserd runs as hold each.
bool Holds(const broker::policy::Admin& admin, const broker::policy::Facts& facts, AdminRole needed,
           const broker::policy::Person* person = nullptr, const GivenRoles& given = {});
/// Whether whoever is signed in is enough of a person for [admin] require_person: where it names
/// people of Entra for the role, one of them, or one to whom it was given.
bool IsPersonFor(const broker::policy::Admin& admin, AdminRole needed,
                 const broker::policy::Person* person, const GivenRoles& given = {});

/// Whether the peer holds it by [admin], and so does who is signed in where it asks for a person:
/// else a role for a time would stand behind root's.
bool HoldsByAdmin(const broker::policy::Admin& admin, const broker::policy::Facts& facts,
                  AdminRole role, const broker::policy::Person* person);

/// As [admin] and answers name it: "auditor".
std::string_view NameOf(AdminRole role);
/// The three that somebody can hold, by that name; nothing for any other text.
std::optional<AdminRole> FindRole(std::string_view name);

}  // namespace sidecar::broker_role
