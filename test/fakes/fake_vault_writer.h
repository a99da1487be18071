#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/ports/vault_writer.h"

/// Keeps what was disabled; refuses on demand.
class FakeVaultWriter final : public broker::VaultWriter {
 public:
  broker::VaultResult<void> MayWrite(const broker::SecretId& /*id*/,
                                     const std::string& version) override {
    asked.push_back(version);
    if (refuse_with) return std::unexpected(*refuse_with);
    return {};
  }
  broker::VaultResult<void> Disable(const broker::SecretId& /*id*/,
                                    const std::string& version) override {
    if (refuse_with) return std::unexpected(*refuse_with);
    disabled.push_back(version);
    return {};
  }
  broker::VaultResult<void> Expire(const broker::SecretId& /*id*/, const std::string& version,
                                   broker::Clock::Wall at) override {
    if (refuse_with) return std::unexpected(*refuse_with);
    expires[version] = at;
    return {};
  }

  std::optional<broker::VaultError> refuse_with;
  std::vector<std::string> asked, disabled;            // versions, oldest first
  std::map<std::string, broker::Clock::Wall> expires;  // by version
};
