// broker/vaulted_secret.h: a credential's secret that is kept in a vault elsewhere and replaced
// there.
#pragma once
#include <expected>
#include <string>

#include "broker/base/secret.h"
#include "broker/ledger/entry.h"
#include "broker/policy/config.h"
#include "broker/ports/ledger_sink.h"
#include "broker/ports/vault.h"
#include "broker/reason.h"

namespace broker {

/// Replicas share such a secret: what each of them stores is compared with the version that it
/// knew. Each step is in the ledger with version and host of the vault, as purser's own store does
/// it for what it keeps. Borrows everything. REQUIRES: the credential names a vault of the
/// configuration.
class VaultedSecret {
 public:
  struct Ports {
    Vault& vault;
    LedgerSink& ledger;
  };
  /// `who`: copied into each entry.
  VaultedSecret(Ports ports, const policy::Config& config, const policy::Credential& credential,
                ledger::Entry who);

  /// The version in the vault, recorded as `credential.access`; empty: there is none yet.
  std::expected<std::string, Refusal> Version();
  /// Stores `value` as the next version, if `expected_version` is still the newest; returns its
  /// name. kConflict: somebody else was first, and what he stored stays.
  std::expected<std::string, Refusal> Replace(const std::string& expected_version,
                                              const Secret& value);

 private:
  std::expected<void, Refusal> Record(ledger::EntryType type, ledger::Outcome outcome,
                                      const std::string& version);

  const Ports ports_;
  const policy::Credential& credential_;
  const SecretId id_;
  ledger::Entry entry_;
};

}  // namespace broker
