// broker/policy/config_draft.h: a configuration as written, before it is judged as a whole.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "broker/policy/config.h"

namespace broker::policy {

struct Draft {
  Config config;  // with defaults filled in
  /// Where values stand: "tenant.id", "agent.helpdesk", "agent.helpdesk.allow.0.scopes.1". Only
  /// what was written; "" is the main file.
  std::map<std::string, Place> places;
  std::map<std::string, std::string> env_used;
  std::vector<Diagnostic> faults;
  /// Paths whose value was at fault: what it would have meant is not judged.
  std::set<std::string> unread;

  void Fault(Place place, std::string message) {
    faults.push_back({std::move(place), std::move(message)});
  }
  [[nodiscard]] bool IsWritten(const std::string& path) const { return places.contains(path); }
  [[nodiscard]] bool IsUnread(const std::string& path) const { return unread.contains(path); }
  /// Where `path` is written, else where the table around it is.
  [[nodiscard]] Place PlaceOf(std::string path) const;
};

}  // namespace broker::policy
