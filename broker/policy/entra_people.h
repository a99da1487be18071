// broker/policy/entra_people.h: who of the tenant's directory is named in a role.
#pragma once
#include <algorithm>
#include <string>
#include <string_view>

#include "broker/base/ascii.h"
#include "broker/policy/config.h"
#include "broker/policy/person.h"

namespace broker::policy {

/// Whether it names anybody.
inline bool SignsPeopleIn(const EntraPeople& people) {
  return !people.groups.empty() || !people.users.empty();
}

/// Takes "entra-group:GUID" and "entra-user:GUID"; false for anything else.
inline bool AddEntra(std::string_view holder, EntraPeople* people) {
  constexpr std::string_view kGroup = "entra-group:", kUser = "entra-user:";
  const bool group = holder.starts_with(kGroup);
  if (!group && !holder.starts_with(kUser)) return false;
  auto& list = group ? people->groups : people->users;
  list.push_back(Lowered(std::string(holder.substr(group ? kGroup.size() : kUser.size()))));
  return true;
}

/// Whether the person is named, or in a group that is.
inline bool Includes(const EntraPeople& people, const Person& person) {
  if (std::ranges::find(people.users, person.oid) != people.users.end()) return true;
  return std::ranges::any_of(people.groups, [&](const std::string& group) {
    return std::ranges::find(person.groups, group) != person.groups.end();
  });
}

}  // namespace broker::policy
