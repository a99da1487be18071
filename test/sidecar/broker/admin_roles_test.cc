#include "sidecar/broker/admin_roles.h"

#include <doctest/doctest.h>

using namespace sidecar::broker_role;
using broker::policy::Facts;

TEST_CASE("A role comes from the peer's groups; root and purserd's own user hold each") {
  broker::policy::Admin admin;
  admin.operator_gids = {10};
  admin.approver_gids = {20};
  admin.auditor_gids = {30};
  admin.owner_uid = 40;
  // clang-format off
  struct Row { const char* who; Facts facts; AdminRole needed; bool holds; };
  const Row rows[] = {
      {"a stranger is no auditor",              {.uid = 5, .gid = 5},                     AdminRole::kAuditor,  false},
      {"a stranger is no operator",             {.uid = 5, .gid = 5},                     AdminRole::kOperator, false},
      {"an auditor is no operator",             {.uid = 5, .gid = 5, .groups = {30}},     AdminRole::kOperator, false},
      {"an approver is no operator",            {.uid = 5, .gid = 5, .groups = {20}},     AdminRole::kOperator, false},
      {"an approver is no auditor",             {.uid = 5, .gid = 5, .groups = {20}},     AdminRole::kAuditor,  false},
      {"an operator is no approver",            {.uid = 5, .gid = 10},                    AdminRole::kApprover, false},
      {"an auditor is no approver",             {.uid = 5, .gid = 5, .groups = {30}},     AdminRole::kApprover, false},
      {"a stranger is no approver",             {.uid = 5, .gid = 5},                     AdminRole::kApprover, false},
      {"an approver",                           {.uid = 5, .gid = 5, .groups = {20}},     AdminRole::kApprover, true},
      {"a role's user below purserd is a stranger", {.uid = 41, .gid = 41},               AdminRole::kAuditor,  false},
      {"the owner's number as a group is none", {.uid = 5, .gid = 40, .groups = {40}},    AdminRole::kAuditor,  false},
      {"a uid is no group",                     {.uid = 10, .gid = 5},                    AdminRole::kOperator, false},
      {"anyone may ask whether it is ready",    {.uid = 5, .gid = 5},                     AdminRole::kAnyone,   true},
      {"an operator by supplementary group",    {.uid = 5, .gid = 5, .groups = {9, 10}},  AdminRole::kOperator, true},
      {"an operator by primary group",          {.uid = 5, .gid = 10},                    AdminRole::kOperator, true},
      {"an operator reads what auditors read",  {.uid = 5, .gid = 10},                    AdminRole::kAuditor,  true},
      {"an auditor",                            {.uid = 5, .gid = 5, .groups = {30}},     AdminRole::kAuditor,  true},
      {"the user that purserd runs as",         {.uid = 40, .gid = 40},                   AdminRole::kOperator, true},
      {"root",                                  {.uid = 0, .gid = 0},                     AdminRole::kOperator, true},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.who);
    CHECK(Holds(admin, row.facts, row.needed) == row.holds);
  }
}

TEST_CASE("Without [admin] nobody but root holds a role") {
  CHECK_FALSE(Holds({}, {.uid = 1, .gid = 1, .groups = {0}}, AdminRole::kAuditor));
  CHECK(Holds({}, {.uid = 0, .gid = 0}, AdminRole::kAuditor));
}

TEST_CASE("A role comes from who is signed in, too, and from that role's people alone") {
  broker::policy::Admin admin;
  admin.operator_entra.groups = {"ops"};
  admin.approver_entra.users = {"ada"};
  admin.auditor_entra.groups = {"audit"};
  const Facts nobody{.uid = 5, .gid = 5};
  using broker::policy::Person;
  // clang-format off
  struct Row { const char* who; Person person; AdminRole needed; bool holds; };
  const Row rows[] = {
      {"in no group that is named",          {"bob", {"x"}},        AdminRole::kAnyRole,  false},
      {"an operator is no approver",         {"bob", {"ops"}},      AdminRole::kApprover, false},
      {"an auditor is no operator",          {"bob", {"audit"}},    AdminRole::kOperator, false},
      {"an auditor is no approver",          {"bob", {"audit"}},    AdminRole::kApprover, false},
      {"an approver is no operator",         {"ada", {}},           AdminRole::kOperator, false},
      {"an approver is no auditor",          {"ada", {}},           AdminRole::kAuditor,  false},
      {"a group by the approver's id",       {"bob", {"ada"}},      AdminRole::kApprover, false},
      {"a person by the operators' group's", {"ops", {}},           AdminRole::kOperator, false},
      {"an approver",                        {"ada", {}},           AdminRole::kApprover, true},
      {"an approver sees what waits",        {"ada", {}},           AdminRole::kAnyRole,  true},
      {"an operator by one of two groups",   {"bob", {"x", "ops"}}, AdminRole::kOperator, true},
      {"an operator reads",                  {"bob", {"ops"}},      AdminRole::kAuditor,  true},
      {"an auditor",                         {"bob", {"audit"}},    AdminRole::kAuditor,  true},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.who);
    CHECK(Holds(admin, nobody, row.needed, &row.person) == row.holds);
    CHECK_FALSE(Holds(admin, nobody, row.needed));
  }
}

TEST_CASE("Whoever is signed in is person enough only where nobody is named, or they are") {
  broker::policy::Admin admin;
  const broker::policy::Person bob{"bob", {"ops"}};
  CHECK_FALSE(IsPersonFor(admin, AdminRole::kOperator, nullptr));
  CHECK(IsPersonFor(admin, AdminRole::kOperator, &bob));
  admin.operator_entra.groups = {"ops"};
  admin.approver_entra.users = {"ada"};
  CHECK(IsPersonFor(admin, AdminRole::kOperator, &bob));
  CHECK_FALSE(IsPersonFor(admin, AdminRole::kApprover, &bob));
}

TEST_CASE("A role for a time is that role, and makes a person of nobody but whom it was given to") {
  broker::policy::Admin admin;
  admin.operator_gids = {10};
  admin.operator_entra.groups = {"ops"};
  const Facts nobody{.uid = 5, .gid = 5};
  const broker::policy::Person bob{"bob", {}};
  const GivenRoles by_user{{AdminRole::kOperator}, {}};
  const GivenRoles by_person{{AdminRole::kOperator}, {AdminRole::kOperator}};
  const GivenRoles auditor{{AdminRole::kAuditor}, {}}, approver{{AdminRole::kApprover}, {}};
  CHECK_FALSE(Holds(admin, nobody, AdminRole::kOperator, nullptr, auditor));
  CHECK_FALSE(Holds(admin, nobody, AdminRole::kApprover, nullptr, auditor));
  CHECK_FALSE(Holds(admin, nobody, AdminRole::kAuditor, nullptr, approver));
  CHECK_FALSE(Holds(admin, nobody, AdminRole::kApprover, nullptr, by_user));
  CHECK_FALSE(IsPersonFor(admin, AdminRole::kOperator, &bob, by_user));
  CHECK_FALSE(IsPersonFor(admin, AdminRole::kOperator, nullptr, by_person));
  CHECK(Holds(admin, nobody, AdminRole::kOperator, nullptr, by_user));
  CHECK(Holds(admin, nobody, AdminRole::kAuditor, nullptr, by_user));
  CHECK(Holds(admin, nobody, AdminRole::kAnyRole, nullptr, approver));
  CHECK(IsPersonFor(admin, AdminRole::kOperator, &bob, by_person));
}

TEST_CASE("A role is found by its name alone") {
  for (const char* none :
       {"", "anyone", "Operator", "operators", "operator, approver or auditor"}) {
    CHECK_FALSE(FindRole(none));
  }
  CHECK(FindRole("approver") == AdminRole::kApprover);
}
