// broker/minter.h: obtains access tokens from Entra with a long-lived secret.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "broker/base/log.h"
#include "broker/credential_uses.h"
#include "broker/ledger/entry.h"
#include "broker/metrics.h"
#include "broker/policy/config.h"
#include "broker/ports/clock.h"
#include "broker/ports/http_transport.h"
#include "broker/ports/ledger_sink.h"
#include "broker/ports/random.h"
#include "broker/ports/signer.h"
#include "broker/ports/sleeper.h"
#include "broker/ports/token_cache.h"
#include "broker/ports/token_files.h"
#include "broker/ports/vault.h"
#include "broker/revocations.h"
#include "broker/upstream_guard.h"

namespace broker {

/// Thread-safe. Borrows everything it is given.
class Minter {
 public:
  struct Ports {
    HttpTransport& http;
    Vault& vault;
    LedgerSink& ledger;
    const Clock& clock;
    Random& random;
    Sleeper& sleeper;
    /// Keys the fingerprints in the ledger (kFingerprintKeyBytes); kept in the store as an internal
    /// secret, so that one token has one fingerprint for as long as the ledger is read.
    const Secret& fingerprint_key;
    /// Where the detail of each failure is written: the ledger's entry has the reason alone.
    const Log* log = nullptr;
    /// Null: kinds that need it are refused.
    TokenFiles* files = nullptr;
    Signer* signer = nullptr;
    /// Told what became of each mint, and when secrets end. Null: nobody is.
    CredentialUses* uses = nullptr;
    Metrics* metrics = nullptr;  // null: nothing is counted
    /// Credentials that are not used; null: there are none.
    const Revocations* revocations = nullptr;
  };
  static constexpr size_t kFingerprintKeyBytes = 32;
  explicit Minter(Ports ports);
  ~Minter();

  /// Obtains one token for `key`. In this order: kCredentialRevoked · the turn of a refresh token
  /// (broker/mint_turns.h; kOverloaded: the agent has too many in line) · circuit breaker and
  /// remembered dead grant · `credential.access` in the ledger (durable; a copy of `who` with the
  /// credential filled in) · the secret from the vault · one request to the token endpoint, one
  /// retry with jitter on a transient failure · a rotated refresh token stored · the token's facts
  /// read. What the token may do for whom is not judged here: CheckMinted (broker/minted_check.h)
  /// does. `user_assertion`: of an on-behalf-of mint, verified already; never kept.
  MintResult Mint(const policy::Config& config, const policy::Credential& credential,
                  const TokenKey& key, const ledger::Entry& who,
                  const Secret* user_assertion = nullptr);

  /// The user whose token an agent passes on (UserVerifier); before Mint() with that token.
  std::expected<std::string, Refusal> VerifyUser(const policy::Config& config,
                                                 const policy::Credential& credential,
                                                 const Secret& assertion);

  /// A token was not released because of what CheckMinted found: one line in the log.
  void ReportRefused(const policy::Credential& credential, const std::string& request_id,
                     const Refusal& refusal) const;

  /// The credential was enrolled anew: forgets that its grant was dead and closes its breaker.
  void Forget(const std::string& credential);

  /// Of each credential that is not tried at this moment, or whose secret cannot be read.
  std::vector<UpstreamGuard::Trouble> Degraded();

 private:
  struct State;
  Ports ports_;
  std::unique_ptr<State> state_;
};

}  // namespace broker
