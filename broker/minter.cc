#include "broker/minter.h"

#include <optional>
#include <utility>

#include "broker/mint_attempt.h"
#include "broker/mint_turns.h"
#include "broker/tenant_resolver.h"
#include "broker/user_verifier.h"

namespace broker {

struct Minter::State {
  explicit State(const Ports& ports)
      : guard(ports.clock),
        tenants(ports.http, ports.clock),
        keys(ports.http, ports.clock),
        users(keys, tenants, ports.clock) {}

  UpstreamGuard guard;
  TenantResolver tenants;
  KeySets keys;
  UserVerifier users;
  MintTurns turns;
};

namespace {

void Write(const Log* log, std::string_view event, const std::string& credential,
           const std::string& request_id, const Refusal& refusal) {
  if (log == nullptr) return;
  log->Warn(event, {{"credential", credential},
                    {"reason", Describe(refusal.reason).name},
                    {"why", refusal.detail},
                    {"action", Describe(refusal.reason).action},
                    {"request_id", request_id}});
}

// One line for each attempt that was made; what the guard remembers is not written again.
MintResult Failed(const Minter::Ports& ports, const std::string& credential,
                  const std::string& request_id, Refusal refusal) {
  Write(ports.log, "mint_failed", credential, request_id, refusal);
  if (ports.uses != nullptr) ports.uses->Refused(credential, refusal.reason);
  if (ports.metrics != nullptr) ports.metrics->MintFailed(credential, refusal.reason);
  return std::unexpected(std::move(refusal));
}

}  // namespace

Minter::Minter(Ports ports) : ports_(ports), state_(std::make_unique<State>(ports)) {}
Minter::~Minter() = default;

MintResult Minter::Mint(const policy::Config& config, const policy::Credential& credential,
                        const TokenKey& key, const ledger::Entry& who,
                        const Secret* user_assertion) {
  if (ports_.revocations != nullptr && ports_.revocations->Find(config, credential)) {
    return Refuse(Reason::kCredentialRevoked);
  }
  const bool alone = credential.kind == "refresh-token";
  const auto turn = alone ? state_->turns.Take(credential.name, who.agent) : std::nullopt;
  if (alone && !turn) return Refuse(Reason::kOverloaded, {}, "too many kinds of token at once");

  auto& guard = state_->guard;
  auto refusal = HasOnlyOwnClaims(key) ? guard.Check(credential.name)
                                       : guard.CheckWithClaims(credential.name, who.agent);
  if (refusal) return std::unexpected(std::move(*refusal));
  auto tenant = state_->tenants.Resolve(config.tenant);
  if (!tenant) {
    guard.DiscoveryFailed(credential.name, tenant.error());
    return Failed(ports_, credential.name, who.request_id, std::move(tenant.error()));
  }
  const MintTask task{config, credential, key, who, std::move(*tenant), user_assertion};
  auto token = MintAttempt(ports_, guard, task).Run();
  if (!token) {
    return Failed(ports_, credential.name, who.request_id, std::move(token.error()));
  }
  if (ports_.uses != nullptr) ports_.uses->Minted(credential.name, token->credential_version);
  if (ports_.metrics != nullptr) ports_.metrics->Minted(credential.name);
  return std::make_shared<const AccessToken>(std::move(*token));
}

std::expected<std::string, Refusal> Minter::VerifyUser(const policy::Config& config,
                                                       const policy::Credential& credential,
                                                       const Secret& assertion) {
  return state_->users.Verify(config, credential, assertion);
}

void Minter::ReportRefused(const policy::Credential& credential, const std::string& request_id,
                           const Refusal& refusal) const {
  Write(ports_.log, "minted_token_refused", credential.name, request_id, refusal);
}

void Minter::Forget(const std::string& credential) {
  // Not before a request under way with the old secret has had its say about it.
  const auto turn = state_->turns.Take(credential, {});
  state_->guard.Forget(credential);
}

std::vector<UpstreamGuard::Trouble> Minter::Degraded() { return state_->guard.Troubles(); }

}  // namespace broker
