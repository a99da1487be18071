// broker/mint_attempt.h: one token from one credential, from the ledger entry to the facts.
#pragma once
#include <string>

#include "broker/client_prover.h"
#include "broker/credential_access.h"
#include "broker/entra/token_request.h"
#include "broker/entra/token_response.h"
#include "broker/mint_step.h"
#include "broker/minter.h"
#include "broker/timed_http.h"
#include "broker/upstream_guard.h"

namespace broker {

/// Whether the key's claims are none of an agent's choosing: none at all, or those of a rule.
bool HasOnlyOwnClaims(const TokenKey& key);

/// Used once, by one thread. Borrows what it is given.
class MintAttempt {
 public:
  MintAttempt(const Minter::Ports& ports, UpstreamGuard& guard, const MintTask& task);

  /// Mints. A refusal is in the ledger (credential.access, failure) when this returns.
  std::expected<AccessToken, Refusal> Run();

 private:
  using Answer = MintStep<entra::TokenResponse>;

  std::expected<AccessToken, Refusal> Mint();
  Answer Exchange();
  Answer SendOnce();
  Answer SendAsAgentUser(const entra::Client& client, const entra::Wanted& wanted);
  static void SendToUser(const entra::UpstreamError& error, Refusal* refusal);
  Refusal RefusalOf(const MintFault& fault);
  void RememberVault(const Refusal& refusal);
  Refusal Remember(const entra::UpstreamError& error);
  void RememberDeadGrant(const Refusal& refusal);
  std::expected<void, Refusal> StoreRotated(const entra::TokenResponse& response);

  const Minter::Ports& ports_;
  UpstreamGuard& guard_;
  const MintTask& task_;
  const std::string guarded_;  // what is remembered of this mint alone: see WithClaims()
  TimedHttp http_;
  CredentialAccess access_;
  ClientProver prover_;
};

}  // namespace broker
