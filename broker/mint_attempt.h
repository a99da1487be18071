// broker/mint_attempt.h: one token from one credential, from the ledger entry to the facts.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "broker/entra/token_request.h"
#include "broker/entra/token_response.h"
#include "broker/entra/upstream_error.h"
#include "broker/minter.h"
#include "broker/upstream_guard.h"

namespace broker {

/// What one call of Minter::Mint works on. Borrowed for the call.
struct MintTask {
  const policy::Config& config;
  const policy::Credential& credential;
  const TokenKey& key;
  const ledger::Entry& who;
  std::string tenant_guid;
};

/// Used once, by one thread.
class MintAttempt {
 public:
  MintAttempt(Minter::Ports ports, UpstreamGuard& guard, const MintTask& task)
      : ports_(ports), guard_(guard), task_(task) {}

  /// Mints. A refusal is in the ledger (credential.access, failure) when this returns.
  std::expected<AccessToken, Refusal> Run();

 private:
  using Answer = std::expected<entra::TokenResponse, entra::UpstreamError>;

  std::expected<AccessToken, Refusal> Mint();
  std::expected<void, Refusal> RecordAccess(ledger::Outcome outcome, Reason reason);
  std::expected<void, Refusal> FetchSecrets();
  std::expected<HttpRequest, Refusal> BuildRequest();
  std::expected<Secret, Refusal> SignAssertion(const entra::Authority& authority);
  std::expected<Answer, Refusal> Exchange();
  Answer SendOnce(const HttpRequest& request);
  Refusal Remember(const entra::UpstreamError& error);
  std::expected<void, Refusal> StoreRotated(const entra::TokenResponse& response);

  Minter::Ports ports_;
  UpstreamGuard& guard_;
  const MintTask& task_;
  VaultSecret secret_;         // refresh token, client secret or PEM bundle
  VaultSecret client_secret_;  // of a confidential client with a refresh token
  Clock::Steady asked_at_{};
  int64_t upstream_status_ = 0;
  int64_t upstream_ms_ = 0;
};

/// What is kept for a credential of this kind; nothing for a kind that purser does not know.
std::optional<SecretKind> SecretKindOf(const policy::Credential& credential);
/// Of a vault that could not deliver.
Refusal VaultRefusal(const Error& error);
/// Of a ledger that could not write, or that knows of a kill.
Refusal LedgerRefusal(const Error& error);

}  // namespace broker
