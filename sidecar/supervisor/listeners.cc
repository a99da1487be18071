#include "sidecar/supervisor/listeners.h"

#include <algorithm>

#include "broker/policy/selectors.h"
#include "sidecar/supervisor/layout.h"

namespace sidecar::supervisor {

using broker::Result;
using broker::policy::Config;

namespace {

SocketAccess AccessOf(const broker::policy::Agent& agent) {
  SocketAccess access{agent.selectors.uid, {}, false};
  if (agent.selectors.gid) access.gids.push_back(*agent.selectors.gid);
  return access;
}

}  // namespace

std::vector<uint32_t> AdminGroups(const Config& config) {
  std::vector<uint32_t> gids = config.admin.operator_gids;
  for (const auto* more : {&config.admin.approver_gids, &config.admin.auditor_gids}) {
    gids.insert(gids.end(), more->begin(), more->end());
  }
  std::ranges::sort(gids);
  gids.erase(std::ranges::unique(gids).begin(), gids.end());
  return gids;
}

Result<Listeners> OpenListeners(const Config& config, const Listeners& open) {
  std::map<std::string, SocketAccess> wanted{
      {"", {std::nullopt, AdminGroups(config), broker::policy::OpenToSignIn(config.admin)}}};
  for (const auto& [name, agent] : config.agents) wanted[name] = AccessOf(agent);
  Listeners opened;
  for (const auto& [name, access] : wanted) {
    const auto old = open.find(name);
    if (old != open.end() && old->second.access() == access) continue;
    std::string path = name.empty() ? AdminSocket(config.paths) : AgentSocket(config.paths, name);
    const std::string folder = path.substr(0, path.rfind('/'));
    if (auto made = PrepareFolder(folder, std::nullopt, 0755); !made) {
      return std::unexpected(made.error());
    }
    if (old != open.end()) path = folder + "/next";
    auto listener = Listener::Open(path, access);
    if (!listener) return std::unexpected(listener.error());
    opened.emplace(name, std::move(*listener));
  }
  return opened;
}

}  // namespace sidecar::supervisor
