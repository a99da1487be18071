#include "broker/vaulted_secret.h"

#include <utility>

#include "broker/credential_access.h"
#include "broker/policy/config_values.h"

namespace broker {

using ledger::EntryType, ledger::Outcome;

VaultedSecret::VaultedSecret(Ports ports, const policy::Config& config,
                             const policy::Credential& credential, ledger::Entry who)
    : ports_(ports),
      credential_(credential),
      id_{credential.name, SecretKindOf(credential).value_or(SecretKind::kRefreshToken)},
      entry_(std::move(who)) {
  entry_.credential_name = credential.name;
  entry_.credential_kind = credential.kind;
  entry_.target_kind = "vault";
  entry_.target_id = policy::HostOf(config.vaults.at(credential.vault).url);
  entry_.policy_sha256 = config.sha256;
}

std::expected<void, Refusal> VaultedSecret::Record(EntryType type, Outcome outcome,
                                                   const std::string& version) {
  ledger::Entry entry = entry_;
  entry.type = type;
  entry.outcome = outcome;
  entry.credential_version = version;
  const auto receipt = ports_.ledger.Append(entry);
  if (!receipt) return std::unexpected(LedgerRefusal(receipt.error()));
  return {};
}

std::expected<std::string, Refusal> VaultedSecret::Version() {
  const auto fetched = ports_.vault.Fetch(id_);
  const bool none = !fetched && fetched.error().code == ErrorCode::kNotFound;
  if (!fetched && !none) return std::unexpected(VaultRefusal(credential_, fetched.error()));
  std::string version = none ? std::string() : fetched->version;
  if (auto done = Record(EntryType::kCredentialAccess, Outcome::kSuccess, version); !done) {
    return std::unexpected(std::move(done.error()));
  }
  return version;
}

// Announced first: a version that nobody here confirmed is one that was set in a crash, or not by
// purser.
std::expected<std::string, Refusal> VaultedSecret::Replace(const std::string& expected_version,
                                                           const Secret& value) {
  const auto type =
      expected_version.empty() ? EntryType::kSecretEnrolled : EntryType::kSecretRotated;
  if (auto told = Record(type, Outcome::kPending, expected_version); !told) {
    return std::unexpected(std::move(told.error()));
  }
  auto version = ports_.vault.Replace(id_, expected_version, value);
  if (!version) {
    Refusal refusal = VaultRefusal(credential_, version.error());
    if (version.error().code == ErrorCode::kConflict) refusal.reason = Reason::kConflict;
    entry_.reason = Describe(refusal.reason).name;
    [[maybe_unused]] const auto noted = Record(type, Outcome::kFailure, expected_version);
    entry_.reason.clear();
    return std::unexpected(std::move(refusal));
  }
  if (auto done = Record(type, Outcome::kSuccess, *version); !done) {
    return std::unexpected(std::move(done.error()));
  }
  return std::move(*version);
}

}  // namespace broker
