#include "sidecar/supervisor/reload_rules.h"

#include <array>
#include <set>

namespace sidecar::supervisor {

std::string WhyRestartIsNeeded(const broker::policy::Config& before,
                               const broker::policy::Config& after) {
  const auto tenant = [](const broker::policy::Config& config) {
    const auto& t = config.tenant;
    return std::array{t.id, t.cloud, t.authority, t.graph};
  };
  const auto auditors = [](const broker::policy::Config& config) {
    return std::set(config.admin.auditor_gids.begin(), config.admin.auditor_gids.end());
  };
  const auto seal = [](const broker::policy::Config& config) {
    const auto& s = config.seal;
    return std::array{s.kind, s.path, s.vault, s.key};
  };
  struct Fixed {
    const char* section;
    bool same;
  };
  const std::array sections{
      Fixed{"[instance]", before.instance.name == after.instance.name},
      Fixed{"[tenant]", tenant(before) == tenant(after)},
      Fixed{"[paths]",
            before.paths.state == after.paths.state && before.paths.run == after.paths.run},
      Fixed{"[seal]", seal(before) == seal(after)},
      Fixed{"[hardening]", before.hardening.strict == after.hardening.strict &&
                               before.hardening.allow_same_uid == after.hardening.allow_same_uid},
      // They read the ledger's files, which get their permissions at the start.
      Fixed{"[admin] auditors", auditors(before) == auditors(after)},
  };
  for (const Fixed& fixed : sections) {
    if (!fixed.same) {
      return std::string(fixed.section) +
             " cannot change while purserd runs: restart it, or put the old values back";
    }
  }
  return {};
}

}  // namespace sidecar::supervisor
