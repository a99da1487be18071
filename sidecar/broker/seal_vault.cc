#include "sidecar/broker/seal_vault.h"

#include <utility>

#include "broker/reason.h"

namespace sidecar::broker_role {

using broker::ErrorCode, broker::Fail, broker::Result, broker::Secret, broker::Status;
using broker::ledger::Entry, broker::ledger::EntryType, broker::ledger::Outcome;
using token_cache::Kdf, token_cache::KdfKind, token_cache::WrappedKek;
using vault::KeyVaultError, vault::KeyVaultProblem;

struct SealVault::Used {
  std::shared_ptr<const broker::policy::Config> config;
  std::shared_ptr<vault::KeyVaultKeys> keys;
  std::string key, version;

  [[nodiscard]] std::string Name() const {
    return "key " + key + (version.empty() ? "" : "/" + version) + " of [vault." +
           config->seal.vault + "]";
  }
};

namespace {

// Besides what the error says itself.
std::string WhatMends(const KeyVaultError& error) {
  if (error.problem == KeyVaultProblem::kNotFound) {  // so says the service of what was deleted
    return "; if it was deleted: `az keyvault key recover`";
  }
  if (error.problem == KeyVaultProblem::kUnreachable) {
    return "; check its url and the way there (purser doctor); it is asked again by itself";
  }
  return {};
}

}  // namespace

Result<SealVault::Used> SealVault::Begin(const std::string& key, const std::string& version) const {
  Used used{ports_.config(), nullptr, key, version};
  used.keys = ports_.keys(used.config->seal.vault);
  if (used.keys != nullptr) return used;
  return Fail(ErrorCode::kInvalidRequest,
              "the store opens with a key vault's key: write [seal] kind = \"azure-key-vault\"");
}

Entry SealVault::EntryOf(const Used& used, Outcome outcome) {
  Entry entry{.type = EntryType::kCredentialAccess, .outcome = outcome};
  entry.credential_name = "seal";
  entry.credential_kind = "key-encryption-key";
  entry.credential_version = used.version;
  entry.target_kind = "vault";
  entry.target_id = used.keys->host();
  entry.target_resource = used.key;
  entry.policy_sha256 = used.config->sha256;
  return entry;
}

Status SealVault::Record(const Used& used) {
  const auto receipt = ports_.ledger.Append(EntryOf(used, Outcome::kSuccess));
  if (!receipt) return Fail(ErrorCode::kUnavailable, "ledger: " + receipt.error().detail);
  const std::scoped_lock lock(mutex_);
  last_failure_.clear();
  return {};
}

// Whether or not this can be written, nothing was obtained.
std::unexpected<broker::Error> SealVault::Refused(const Used& used, const KeyVaultError& error) {
  broker::Error refused = vault::AsError(error, used.keys->host()).error();
  refused.detail = used.Name() + ": " + refused.detail + WhatMends(error);
  const std::string failure = used.Name() + " " + std::to_string(static_cast<int>(error.problem));
  {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(last_failure_, failure) == failure) return std::unexpected(refused);
  }
  Entry entry = EntryOf(used, Outcome::kFailure);
  entry.reason = broker::Describe(broker::Reason::kStoreUnavailable).name;
  [[maybe_unused]] const auto receipt = ports_.ledger.Append(entry);
  return std::unexpected(std::move(refused));
}

Result<Kdf> SealVault::Wrap(const Secret& kek) {
  auto used = Begin(ports_.config()->seal.key, {});
  if (!used) return std::unexpected(used.error());
  auto made = used->keys->Wrap({used->key, {}}, kek);
  if (!made) return Refused(*used, made.error());
  used->version = made->version;
  if (const Status recorded = Record(*used); !recorded) return std::unexpected(recorded.error());
  return Kdf{.kind = KdfKind::kKeyVault,
             .wrapping = {used->key, std::move(made->version), std::move(made->bytes)}};
}

Result<Secret> SealVault::Unwrap(const WrappedKek& wrapped) {
  const auto used = Begin(wrapped.key, wrapped.version);
  if (!used) return std::unexpected(used.error());
  auto kek =
      used->keys->Unwrap({wrapped.key, wrapped.version}, wrapped.wrapped, token_cache::kKeyBytes);
  if (!kek) return Refused(*used, kek.error());
  if (const Status recorded = Record(*used); !recorded) return std::unexpected(recorded.error());
  return std::move(*kek);
}

}  // namespace sidecar::broker_role
