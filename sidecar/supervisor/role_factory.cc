#include "sidecar/supervisor/role_factory.h"

namespace sidecar::supervisor {
namespace {

constexpr mode_t kPrivate = 077;
constexpr mode_t kGroupReads = 027;  // auditors read the ledger's segments

}  // namespace

std::vector<std::string> ArgumentsOf(const RoleProcess::Name& name,
                                     const broker::policy::Config& config,
                                     const std::string& latch) {
  const std::string ledger = LedgerDir(config.paths);
  const std::string store = StoreDir(config.paths);
  std::vector<std::string> arguments{"purser-" + std::string(NameOf(name.kind))};
  const auto add = [&arguments](std::initializer_list<std::string> more) {
    arguments.insert(arguments.end(), more);
  };
  switch (name.kind) {
    case RoleKind::kLedger:
      add({"--dir", ledger, "--log", config.instance.name, "--tenant", config.tenant.id});
      add({"--off-limits", store});
      if (!latch.empty()) add({"--latched", latch});
      break;
    case RoleKind::kDialer:
      add({"--off-limits", ledger, "--off-limits", store});
      break;
    case RoleKind::kBroker:
      add({"--store", StoreFile(config.paths), "--tenant", config.tenant.id, "--off-limits",
           ledger});
      break;
    case RoleKind::kWindow:
      if (name.admin) {
        add({"--admin"});
      } else {
        add({"--agent", name.agent});
      }
      add({"--off-limits", ledger, "--off-limits", store});
      break;
  }
  return arguments;
}

broker::Result<std::unique_ptr<RoleProcess>> RoleFactory::Start(
    const RoleProcess::Name& name, const broker::policy::Config& config,
    RoleProcess::Callbacks callbacks, const std::string& latch) {
  const auto index = static_cast<size_t>(name.kind);
  SpawnRequest request;
  request.executable = setup_.executables.at(index).get();
  request.arguments = ArgumentsOf(name, config, latch);
  request.environment = setup_.environment;
  request.run_as = setup_.users.at(index);
  request.umask = name.kind == RoleKind::kLedger ? kGroupReads : kPrivate;
  request.log = setup_.log;
  return RoleProcess::Start(loop_, clock_, name, std::move(request), std::move(callbacks));
}

}  // namespace sidecar::supervisor
