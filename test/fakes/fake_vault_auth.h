#pragma once
#include <mutex>
#include <string>
#include <vector>

#include "broker/ports/vault_auth.h"

/// Gives "token-1" for every question until a new one is wanted, then "token-2", and so on.
/// Thread-safe.
class FakeVaultAuth final : public broker::VaultAuth {
 public:
  broker::VaultResult<broker::Secret> Token(const std::string& resource,
                                            Freshness freshness) override {
    const std::scoped_lock lock(mutex_);
    resources.push_back(resource);
    if (fail_with) return broker::Fail(*fail_with, "no identity here");
    if (freshness == Freshness::kNew) ++number_;
    return broker::Secret::CopyOf("token-" + std::to_string(number_));
  }
  std::string Tenant() override { return tenant; }
  std::string tenant;
  std::optional<broker::ErrorCode> fail_with;
  std::vector<std::string> resources;  // what was asked for, oldest first

 private:
  std::mutex mutex_;
  int number_ = 1;
};
