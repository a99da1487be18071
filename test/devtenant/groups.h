// test/devtenant/groups.h: who is in which group of the directory.
#pragma once
#include <map>
#include <set>
#include <string>

namespace devtenant {

/// Object ids of the user's groups; of the one tenant of this process. The caller holds its mutex.
inline std::set<std::string>& GroupsOf(const std::string& oid) {
  static std::map<std::string, std::set<std::string>> groups;
  return groups[oid];
}

}  // namespace devtenant
