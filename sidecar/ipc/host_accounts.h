// sidecar/ipc/host_accounts.h: this machine's users and groups, for the configuration's parser.
#pragma once
#include "broker/policy/config.h"

namespace sidecar {

/// getpwnam(3) and its kin: /etc/passwd, or whatever nsswitch.conf(5) names. Reads files and may
/// talk to a directory service: for the supervisor and the command, never for a hardened role.
/// Thread-safe.
class HostAccounts final : public broker::policy::Accounts {
 public:
  [[nodiscard]] std::optional<uint32_t> UserId(const std::string& name) const override;
  [[nodiscard]] std::optional<uint32_t> GroupId(const std::string& name) const override;
  [[nodiscard]] std::vector<uint32_t> GroupsOf(uint32_t uid) const override;
};

}  // namespace sidecar
