#include "sidecar/broker/vault_identity.h"

#include <utility>

#include "broker/policy/kinds.h"

namespace sidecar::broker_role {

using broker::ErrorCode, broker::Secret, broker::VaultError;
using broker::policy::Credential;

namespace {

// What the reason of a refused mint is for somebody who wanted a secret.
VaultError AsError(const broker::Refusal& refusal, const std::string& credential) {
  const broker::ReasonInfo& info = broker::Describe(refusal.reason);
  std::string detail = "no token for the vault with " + credential + ": " + std::string(info.name);
  if (!refusal.detail.empty()) detail += ", " + refusal.detail;
  VaultError error(broker::Error{info.retryable ? ErrorCode::kUnavailable : ErrorCode::kDenied,
                                 std::move(detail)});
  error.retry_after = refusal.retry_after;
  return error;
}

}  // namespace

broker::VaultResult<Secret> VaultIdentity::Token(const std::string& resource, Freshness freshness) {
  const std::scoped_lock lock(mutex_);
  if (revoked_ && revoked_(credential_)) token_.reset();
  const bool good =
      token_ != nullptr && resource_ == resource && token_->expires_at - clock_.Now() >= kLeast;
  if (!good || freshness == Freshness::kNew) {
    auto minted = mint_(credential_, {.credential = credential_.name,
                                      .resource = resource,
                                      .scopes = {".default"},
                                      .claims = {},
                                      .user = {}});
    if (!minted) return std::unexpected(AsError(minted.error(), credential_.name));
    token_ = std::move(*minted);
    resource_ = resource;
  }
  return Secret::CopyOf(token_->value.Expose(broker::Exit::kSendUpstream));
}

std::string VaultIdentity::Tenant() {
  const std::scoped_lock lock(mutex_);
  return token_ == nullptr ? std::string() : token_->tenant;
}

Credential IdentityOf(const broker::policy::Config& config, const broker::policy::Vault& vault) {
  constexpr std::string_view kNamed = "credential:";
  if (vault.auth.starts_with(kNamed)) {
    return config.credentials.at(vault.auth.substr(kNamed.size()));
  }
  Credential implied;
  implied.name = "vault." + vault.name;
  implied.place = vault.place;
  implied.client_id = vault.client_id;
  if (vault.auth == "workload-identity") {
    implied.kind = "federated";
    implied.token_file = vault.token_file;
    return implied;
  }
  implied.kind = "managed-identity";
  implied.source = "imds";
  implied.endpoint = broker::policy::kImdsEndpoint;
  implied.user_assigned = !vault.client_id.empty();
  return implied;
}

}  // namespace sidecar::broker_role
