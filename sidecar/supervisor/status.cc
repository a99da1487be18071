#include "sidecar/supervisor/status.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

namespace sidecar::supervisor {
namespace {

using broker::Clock;
using nlohmann::ordered_json;

// Configured names may be any bytes; plain dump() would throw.
std::string Dump(const ordered_json& document) {
  return document.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

int64_t Seconds(Clock::Steady::duration time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time).count();
}

ordered_json FindingsList(const FindingsByRole& by_role) {
  ordered_json list = ordered_json::array();
  for (const auto& [role, findings] : by_role) {
    for (const Finding& finding : findings) {
      list.push_back({{"role", role},
                      {"name", finding.name},
                      {"what", finding.what},
                      {"remedy", finding.remedy}});
    }
  }
  return list;
}

ordered_json RoleRow(const RoleProcess& role, bool ready, uint32_t restarts, Clock::Steady now) {
  ordered_json row{{"role", NameOf(role.name().kind)}};
  if (role.name().kind == RoleKind::kWindow) {
    row[role.name().admin ? "admin" : "agent"] =
        role.name().admin ? ordered_json(true) : ordered_json(role.name().agent);
  }
  row.update({{"pid", role.pid()},
              {"uptime_s", Seconds(now - role.since())},
              {"ready", ready},
              {"restarts", restarts}});
  return row;
}

}  // namespace

std::string StatusJson(const StatusSources& sources, Clock::Steady now) {
  ordered_json roles = ordered_json::array();
  roles.push_back({{"role", "supervisor"},
                   {"pid", getpid()},
                   {"uptime_s", Seconds(now - sources.started)},
                   {"ready", true},
                   {"restarts", 0}});
  for (const RoleKind kind : CoreRoles::kKinds) {
    const RoleProcess* role = sources.core.Get(kind);
    if (role == nullptr) {
      roles.push_back(
          {{"role", NameOf(kind)}, {"ready", false}, {"restarts", sources.core.restarts(kind)}});
    } else {
      roles.push_back(RoleRow(*role, sources.core.Ready(kind), sources.core.restarts(kind), now));
    }
  }
  for (const RoleProcess* window : sources.windows.running()) {
    roles.push_back(
        RoleRow(*window, window->started, sources.windows.restarts(window->name().agent), now));
  }
  const auto& hardening = sources.config.config.hardening;
  return Dump(
      {{"version", PURSER_VERSION},
       {"config", {{"path", sources.config_path}, {"sha256", sources.config.config.sha256}}},
       {"hardening",
        {{"minimum", hardening.strict ? "strict" : "weak"},
         {"allow_same_uid", hardening.allow_same_uid},
         {"findings", FindingsList(sources.findings)}}},
       {"connections", sources.door.connections().size()},
       {"entries_lost", sources.journal.lost()},
       {"roles", roles}});
}

}  // namespace sidecar::supervisor
