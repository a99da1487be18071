#include "broker/credential_access.h"

#include <utility>

namespace broker {

using ledger::Outcome;

std::optional<SecretKind> SecretKindOf(const policy::Credential& credential) {
  if (credential.kind == "refresh-token") return SecretKind::kRefreshToken;
  if (credential.kind == "client-secret") return SecretKind::kClientSecret;
  if (credential.kind == "certificate") return SecretKind::kCertificate;
  if (credential.kind == "webhook-url") return SecretKind::kClientSecret;  // typed, as that one is
  return std::nullopt;
}

Refusal VaultRefusal(const policy::Credential& credential, const VaultError& error) {
  const bool elsewhere = !credential.vault.empty();
  auto reason = Reason::kStoreUnavailable;
  switch (error.code) {
    case ErrorCode::kNotFound:
      // A refresh token comes from a login, wherever it is kept.
      reason = elsewhere && credential.kind != "refresh-token" ? Reason::kCredentialUnavailable
                                                               : Reason::kCredentialNotEnrolled;
      break;
    case ErrorCode::kDenied:
    case ErrorCode::kInvalidRequest:
      if (elsewhere) reason = Reason::kCredentialUnavailable;
      break;
    case ErrorCode::kUnavailable:
    case ErrorCode::kCorrupt:
    case ErrorCode::kConflict:
      break;
  }
  return {reason, {}, "vault: " + error.detail, error.retry_after};
}

Refusal LedgerRefusal(const Error& error) {
  if (error.code == ErrorCode::kDenied) return {Reason::kKilled, {}, error.detail, std::nullopt};
  const auto reason =
      error.code == ErrorCode::kInvalidRequest ? Reason::kInternal : Reason::kLedgerUnavailable;
  return {reason, {}, "ledger: " + error.detail, std::nullopt};
}

MintStep<void> CredentialAccess::Announce(const policy::Credential& credential) {
  if (announced_.contains(credential.name)) return {};
  const auto receipt = Record(credential, Outcome::kSuccess, {});
  if (!receipt) return Stop(LedgerRefusal(receipt.error()));
  announced_.insert(credential.name);
  return {};
}

MintStep<const Secret*> CredentialAccess::Fetch(const policy::Credential& credential,
                                                SecretKind kind) {
  const SecretId id{credential.name, kind};
  if (const auto it = secrets_.find(id); it != secrets_.end()) return &it->second.value;
  if (auto done = Announce(credential); !done) return std::unexpected(std::move(done.error()));
  auto fetched = ports_.vault.Fetch(id);
  if (!fetched) return Stop(RefusedBy(credential, fetched.error()));
  NoteEnd(credential, Expiry::By::kVault, fetched->version, fetched->expires);
  // A confidential client's own secret has a version too; the refresh token's is what is written.
  if (SecretKindOf(credential) == kind) versions_[credential.name] = fetched->version;
  // A vault elsewhere has a record of its own: this one says what to compare it with.
  if (!fetched->host.empty()) {
    const auto receipt = Record(credential, Outcome::kSuccess, {}, fetched->host);
    if (!receipt) return Stop(LedgerRefusal(receipt.error()));
  }
  return &secrets_.emplace(id, std::move(*fetched)).first->second.value;
}

void CredentialAccess::NoteEnd(const policy::Credential& credential, Expiry::By by,
                               const std::string& version, std::optional<Clock::Wall> at) {
  if (ports_.uses != nullptr && at) ports_.uses->Saw(credential.name, {*at, by, version});
}

MintStep<void> CredentialAccess::AnnounceKey(const policy::Credential& credential,
                                             const SigningKey& key) {
  versions_[credential.name] = key.version;
  NoteEnd(credential, Expiry::By::kVault, key.version, key.expires);
  const auto receipt = Record(credential, Outcome::kSuccess, {}, key.host);
  if (!receipt) return Stop(LedgerRefusal(receipt.error()));
  return {};
}

Refusal CredentialAccess::RefusedBy(const policy::Credential& credential, const VaultError& error) {
  refused_by_ = error.host;
  return VaultRefusal(credential, error);
}

std::string CredentialAccess::VersionOf(const policy::Credential& credential) const {
  const auto it = versions_.find(credential.name);
  return it == versions_.end() ? std::string() : it->second;
}

std::string CredentialAccess::Versions() const {
  std::string all;
  for (const auto& [name, version] : versions_) {
    all.append(name).append("=").append(version).append("\n");
  }
  return all;
}

void CredentialAccess::Restart() {
  // Entra refused what was made of them: a copy that the vault's policy keeps would be refused too.
  for (const auto& [id, secret] : secrets_) ports_.vault.Invalidate(id, secret.version);
  announced_.clear();
  secrets_.clear();
}

bool CredentialAccess::RecordFailure(Reason reason) {
  return Record(task_.credential, Outcome::kFailure, std::string(Describe(reason).name),
                refused_by_)
      .has_value();
}

Result<LedgerReceipt> CredentialAccess::Record(const policy::Credential& credential,
                                               Outcome outcome, std::string reason,
                                               const std::string& vault_host) {
  ledger::Entry entry = task_.who;
  entry.type = ledger::EntryType::kCredentialAccess;
  entry.outcome = outcome;
  entry.reason = std::move(reason);
  entry.credential_name = credential.name;
  entry.credential_kind = credential.kind;
  entry.credential_version = VersionOf(credential);
  entry.target_resource = task_.key.resource;
  entry.scopes = task_.key.scopes;
  entry.upstream_host = http_.host();
  entry.upstream_status = http_.status();
  entry.upstream_ms = http_.took().count();
  if (!vault_host.empty()) {
    entry.target_kind = "vault";
    entry.target_id = vault_host;
  }
  return ports_.ledger.Append(entry);
}

}  // namespace broker
