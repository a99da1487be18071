#include "broker/enrolment.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "broker/credential_access.h"
#include "broker/minted_check.h"
#include "broker/minted_token.h"
#include "broker/tenant_resolver.h"
#include "broker/vaulted_secret.h"

namespace broker {
namespace {

// One resource's scopes of all that the credential has.
RequestedScopes LoginScopes(const policy::Credential& credential, const std::string& graph) {
  RequestedScopes chosen;
  for (const std::string& scope : credential.scopes) {
    auto one = ParseScopes({scope}, graph);
    if (!one) continue;  // the configuration's parser has refused it already
    const bool better =
        chosen.resource.empty() || (one->resource == graph && chosen.resource != graph);
    if (better)
      chosen = std::move(*one);
    else if (one->resource == chosen.resource)
      std::ranges::copy(one->names, std::back_inserter(chosen.names));
  }
  return chosen;
}

// Who logs in is told what the vault wants: nobody else can mend it.
Refusal ToOperator(Refusal refusal) {
  refusal.hint = refusal.detail + ".";
  return refusal;
}

}  // namespace

Enrolment::Enrolment(Minter::Ports ports, SealedStore& store, policy::Config config,
                     policy::Credential credential)
    : ports_(ports),
      store_(store),
      config_(std::move(config)),
      credential_(std::move(credential)),
      scopes_(LoginScopes(credential_, config_.tenant.graph)) {}

std::expected<void, Refusal> Enrolment::Begin() {
  if (credential_.kind != "refresh-token" || scopes_.resource.empty()) {
    return Refuse(Reason::kInternal, "Only credentials of kind refresh-token with scopes log in.");
  }
  auto tenant = TenantResolver(ports_.http, ports_.clock).Resolve(config_.tenant);
  if (!tenant) return std::unexpected(tenant.error());
  tenant_guid_ = std::move(*tenant);
  client_.id = credential_.client_id;
  return TakeClientSecret();
}

// Of a confidential client: Entra wants to know it again when the code is redeemed.
std::expected<void, Refusal> Enrolment::TakeClientSecret() {
  if (!credential_.confidential) return {};
  ledger::Entry entry;
  entry.type = ledger::EntryType::kCredentialAccess;
  entry.outcome = ledger::Outcome::kSuccess;
  entry.credential_name = credential_.name;
  entry.credential_kind = "client-secret";
  entry.policy_sha256 = config_.sha256;
  const auto receipt = ports_.ledger.Append(entry);
  if (!receipt) return std::unexpected(LedgerRefusal(receipt.error()));
  auto secret = ports_.vault.Fetch({credential_.name, SecretKind::kClientSecret});
  if (!secret) return std::unexpected(VaultRefusal(credential_, secret.error()));
  client_.secret = std::move(secret->value);
  return {};
}

std::expected<std::vector<std::string>, Refusal> Enrolment::Finish(const HttpResponse& response,
                                                                   Clock::Steady asked_at) {
  auto read = entra::ReadTokenResponse(response.body, scopes_.resource);
  if (!read) return Refuse(Reason::kUpstreamInvalid, {}, read.error().detail);
  const Secret refresh_token = std::move(read->refresh_token);
  if (refresh_token.empty()) {
    return Refuse(Reason::kConsentRequired, "Entra sent no refresh token: allow offline_access.");
  }
  auto token =
      ReadMintedToken(std::move(*read), {ports_.clock, asked_at, config_.tenant, tenant_guid_,
                                         /*credential_version=*/{}, ports_.fingerprint_key});
  if (!token) return std::unexpected(token.error());
  if (auto refusal = Check(*token)) return std::unexpected(std::move(*refusal));
  if (auto kept = Keep(refresh_token); !kept) return std::unexpected(std::move(kept.error()));
  return std::move(token->scopes);
}

// A login is newer than what any replica rotates meanwhile: it is put on top of that.
std::expected<void, Refusal> Enrolment::Keep(const Secret& refresh_token) {
  if (credential_.vault.empty()) {
    const auto stored =
        store_.Put({credential_.name, SecretKind::kRefreshToken}, refresh_token, std::nullopt);
    if (!stored) return Refuse(Reason::kStoreUnavailable, {}, "store: " + stored.error().detail);
    return {};
  }
  constexpr int kTries = 5;  // replicas rotate about once an hour each
  VaultedSecret secret({ports_.vault, ports_.ledger}, config_, credential_, {});
  for (int tried = 1;; ++tried) {
    const auto version = secret.Version();
    if (!version) return std::unexpected(ToOperator(version.error()));
    auto stored = secret.Replace(*version, refresh_token);
    if (stored) return {};
    if (stored.error().reason != Reason::kConflict || tried == kTries) {
      return std::unexpected(ToOperator(std::move(stored.error())));
    }
  }
}

std::optional<Refusal> Enrolment::Check(const AccessToken& token) const {
  const TokenKey key{credential_.name, scopes_.resource, {}, {}, credential_.user};
  // All that was consented to is allowed here: a login hands nothing to an agent.
  auto refusal = CheckMinted(
      token, {.config = config_, .credential = credential_, .asked = key, .allowed = token.scopes},
      ports_.clock.WallNow());
  if (refusal && !token.app_only && token.user_oid != credential_.user) {
    refusal->hint = "The object id of the person who logged in is " + token.user_oid +
                    "; the configuration names " + credential_.user + ".";
  }
  return refusal;
}

}  // namespace broker
