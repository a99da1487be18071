// sidecar/broker/vault_identity.h: who purser is for a vault in the cloud.
#pragma once
#include <chrono>
#include <functional>
#include <mutex>
#include <string>

#include "broker/policy/config.h"
#include "broker/ports/clock.h"
#include "broker/ports/token_cache.h"
#include "broker/ports/vault_auth.h"

namespace sidecar::broker_role {

/// Tokens for one vault, minted like any other and recorded like any other, kept while they are
/// good for a whole exchange. Callers that need a new one share one mint. Thread-safe.
/// REQUIRES: `mint` refuses what CheckForVault refuses, and a credential that `revoked` names, of
/// which what was kept is dropped.
class VaultIdentity final : public broker::VaultAuth {
 public:
  // Longer than an exchange with a vault, retries included; shorter than any token's life.
  static constexpr std::chrono::minutes kLeast{2};

  using Mint =
      std::function<broker::MintResult(const broker::policy::Credential&, const broker::TokenKey&)>;

  using Revoked = std::function<bool(const broker::policy::Credential&)>;

  VaultIdentity(broker::policy::Credential credential, const broker::Clock& clock, Mint mint,
                Revoked revoked = {})
      : credential_(std::move(credential)),
        clock_(clock),
        mint_(std::move(mint)),
        revoked_(std::move(revoked)) {}

  broker::VaultResult<broker::Secret> Token(const std::string& resource,
                                            Freshness freshness) override;
  std::string Tenant() override;

 private:
  const broker::policy::Credential credential_;
  const broker::Clock& clock_;
  const Mint mint_;
  const Revoked revoked_;
  std::mutex mutex_;  // held over a mint
  broker::SharedToken token_;
  std::string resource_;  // of token_
};

/// The credential that `vault.auth` says: the named one, the machine's managed identity, or the
/// workload identity that the platform projects. REQUIRES: a configuration that was checked.
broker::policy::Credential IdentityOf(const broker::policy::Config& config,
                                      const broker::policy::Vault& vault);

}  // namespace sidecar::broker_role
