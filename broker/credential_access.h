// broker/credential_access.h: the secrets that a mint needs, each after its entry in the ledger.
#pragma once
#include <map>
#include <set>
#include <string>

#include "broker/mint_step.h"
#include "broker/minter.h"
#include "broker/timed_http.h"

namespace broker {

/// One attempt's. A credential that proves another is named in entries of its own.
class CredentialAccess {
 public:
  CredentialAccess(const Minter::Ports& ports, const MintTask& task, const TimedHttp& http)
      : ports_(ports), task_(task), http_(http) {}

  /// Writes `credential.access` of this credential, durable on return; once until Restart().
  MintStep<void> Announce(const policy::Credential& credential);
  /// Announces, and reads the secret; once until Restart(). Borrowed until then. What came from a
  /// vault elsewhere is named once more, with its version and host, before it is used.
  MintStep<const Secret*> Fetch(const policy::Credential& credential, SecretKind kind);
  /// Of a key that signs where it is: names its version and host as Fetch() does, before it signs.
  MintStep<void> AnnounceKey(const policy::Credential& credential, const SigningKey& key);
  /// The secret that was read as that version ends then; nothing: its keeper does not say.
  void NoteEnd(const policy::Credential& credential, Expiry::By by, const std::string& version,
               std::optional<Clock::Wall> at);
  /// Of a vault that delivered or signed nothing for the credential. RecordFailure() names its
  /// host.
  Refusal RefusedBy(const policy::Credential& credential, const VaultError& error);

  /// Of the credential's secret as last read; empty: none was.
  [[nodiscard]] std::string VersionOf(const policy::Credential& credential) const;
  /// All of them in one text, to see whether reading anew has changed any.
  [[nodiscard]] std::string Versions() const;
  /// What follows reads and announces everything anew, from the vaults themselves.
  void Restart();

  /// Of a mint that failed for `reason`: `credential.access`, failure. False: it was not written.
  bool RecordFailure(Reason reason);

 private:
  Result<LedgerReceipt> Record(const policy::Credential& credential, ledger::Outcome outcome,
                               std::string reason, const std::string& vault_host = {});

  const Minter::Ports& ports_;
  const MintTask& task_;
  const TimedHttp& http_;
  std::set<std::string> announced_;
  std::map<SecretId, VaultSecret> secrets_;
  std::map<std::string, std::string> versions_;  // by credential
  std::string refused_by_;                       // host of the vault that failed last
};

/// What is kept for a credential of this kind; nothing for a kind whose proof is not a stored
/// secret.
std::optional<SecretKind> SecretKindOf(const policy::Credential& credential);
/// Of a vault that did not deliver: kCredentialUnavailable where a person has to act in a vault
/// elsewhere, kCredentialNotEnrolled where one has to enrol, else kStoreUnavailable, which passes.
Refusal VaultRefusal(const policy::Credential& credential, const VaultError& error);
/// Of a ledger that could not write, that knows of a kill, or that takes no such entry (kInternal).
Refusal LedgerRefusal(const Error& error);

}  // namespace broker
