#include "sidecar/supervisor/listeners.h"

#include <algorithm>

#include "sidecar/supervisor/layout.h"

namespace sidecar::supervisor {

using broker::Result;
using broker::policy::Config;

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
  Listeners opened;
  for (const auto& [name, agent] : config.agents) {
    if (open.contains(name)) continue;
    const std::string path = AgentSocket(config.paths, name);
    const std::string folder = path.substr(0, path.rfind('/'));
    if (auto made = PrepareFolder(folder, std::nullopt, 0755); !made) {
      return std::unexpected(made.error());
    }
    SocketAccess access{agent.selectors.uid, {}};
    if (agent.selectors.gid) access.gids.push_back(*agent.selectors.gid);
    auto listener = Listener::Open(path, access);
    if (!listener) return std::unexpected(listener.error());
    opened.emplace(name, std::move(*listener));
  }
  if (!open.contains("")) {
    auto admin = Listener::Open(AdminSocket(config.paths), {std::nullopt, AdminGroups(config)});
    if (!admin) return std::unexpected(admin.error());
    opened.emplace("", std::move(*admin));
  }
  return opened;
}

}  // namespace sidecar::supervisor
