#include "broker/device_login.h"

#include <algorithm>
#include <utility>

#include "broker/credential_access.h"
#include "broker/entra/device_code.h"
#include "broker/entra/token_request.h"
#include "broker/entra/upstream_error.h"
#include "broker/minted_check.h"
#include "broker/minted_token.h"
#include "broker/tenant_resolver.h"
#include "broker/token_request.h"

namespace broker {
namespace {

using entra::ErrorClass;

Refusal RefusalOf(const entra::UpstreamError& error, std::string hint = {}) {
  return {Describe(error.error_class).reason, std::move(hint), error.detail, error.retry_after};
}

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

}  // namespace

struct DeviceLogin::State {
  Minter::Ports ports;
  SealedStore& store;
  policy::Config config;
  policy::Credential credential;
  RequestedScopes scopes;
  std::string tenant_guid;
  entra::Client client;
  entra::DeviceCode code;
  std::chrono::seconds interval{0};
  Clock::Steady expires_at{};
  std::vector<std::string> consented;

  entra::Authority authority() const { return {config.tenant.authority, config.tenant.id}; }
  std::expected<void, Refusal> TakeClientSecret();
  std::expected<bool, Refusal> Later(const entra::UpstreamError& error);
  std::expected<bool, Refusal> Finish(const HttpResponse& response, Clock::Steady asked_at);
  std::optional<Refusal> Check(const AccessToken& token) const;
};

DeviceLogin::DeviceLogin(Minter::Ports ports, SealedStore& store, policy::Config config,
                         policy::Credential credential) {
  auto scopes = LoginScopes(credential, config.tenant.graph);
  state_.reset(
      new State{ports, store, std::move(config), std::move(credential), std::move(scopes)});
}
DeviceLogin::~DeviceLogin() = default;

std::chrono::seconds DeviceLogin::interval() const { return state_->interval; }
const std::vector<std::string>& DeviceLogin::consented() const { return state_->consented; }

std::expected<DevicePrompt, Refusal> DeviceLogin::Start() {
  State& state = *state_;
  if (state.credential.kind != "refresh-token" || state.scopes.resource.empty()) {
    return Refuse(Reason::kInternal, "Only credentials of kind refresh-token with scopes log in.");
  }
  auto tenant = TenantResolver(state.ports.http).Resolve(state.config.tenant);
  if (!tenant) return std::unexpected(tenant.error());
  state.tenant_guid = std::move(*tenant);
  state.client.id = state.credential.client_id;
  if (const auto taken = state.TakeClientSecret(); !taken) return std::unexpected(taken.error());

  const entra::Wanted wanted{entra::ScopeText(state.scopes.resource, state.scopes.names), {}, {}};
  const auto response =
      state.ports.http.Send(entra::DeviceCodeStart(state.authority(), state.client, wanted));
  if (!response) return std::unexpected(RefusalOf(entra::ReadTransportError(response.error())));
  if (response->status != 200)
    return std::unexpected(RefusalOf(entra::ReadUpstreamError(*response)));
  auto code = entra::ReadDeviceCode(response->body);
  if (!code) return Refuse(Reason::kUpstreamInvalid, {}, code.error().detail);
  state.code = std::move(*code);
  state.interval = state.code.interval;
  state.expires_at = state.ports.clock.Now() + state.code.expires_in;
  return DevicePrompt{state.code.user_code, state.code.verification_uri, state.code.expires_in,
                      state.interval};
}

std::expected<bool, Refusal> DeviceLogin::Poll() {
  State& state = *state_;
  const auto asked_at = state.ports.clock.Now();
  if (asked_at >= state.expires_at) {
    return Refuse(Reason::kLoginRequired, "The code has expired; start the login again.");
  }
  const auto response = state.ports.http.Send(
      entra::DeviceCodeGrant(state.authority(), state.client, state.code.device_code));
  if (!response) return state.Later(entra::ReadTransportError(response.error()));
  if (response->status != 200) return state.Later(entra::ReadUpstreamError(*response));
  return state.Finish(*response, asked_at);
}

// Of a confidential client: Entra wants to know it again when the code is redeemed.
std::expected<void, Refusal> DeviceLogin::State::TakeClientSecret() {
  if (!credential.confidential) return {};
  ledger::Entry entry;
  entry.type = ledger::EntryType::kCredentialAccess;
  entry.outcome = ledger::Outcome::kSuccess;
  entry.credential_name = credential.name;
  entry.credential_kind = "client-secret";
  entry.policy_sha256 = config.sha256;
  const auto receipt = ports.ledger.Append(entry);
  if (!receipt) return std::unexpected(LedgerRefusal(receipt.error()));
  auto secret = ports.vault.Fetch({credential.name, SecretKind::kClientSecret});
  if (!secret) return std::unexpected(VaultRefusal(secret.error()));
  client.secret = std::move(secret->value);
  return {};
}

std::expected<bool, Refusal> DeviceLogin::State::Later(const entra::UpstreamError& error) {
  switch (error.error_class) {
    case ErrorClass::kPending:
      return false;
    case ErrorClass::kSlowDown:
      interval += kSlowDown;
      return false;
    case ErrorClass::kTransient:  // RFC 8628 §3.5: ask less often; the code ends the login in time
      interval = std::min(interval * 2, std::max(interval, kLongestInterval));
      return false;
    case ErrorClass::kThrottled:
      interval = std::max(interval, error.retry_after.value_or(entra::kDefaultRetryAfter));
      return false;
    case ErrorClass::kDeclined:
      return std::unexpected(RefusalOf(error, "The person declined."));
    case ErrorClass::kCodeExpired:
      return std::unexpected(RefusalOf(error, "The code has expired; start the login again."));
    case ErrorClass::kGrantDead:
    case ErrorClass::kInteraction:
    case ErrorClass::kConsent:
    case ErrorClass::kPolicy:
    case ErrorClass::kPrincipal:
    case ErrorClass::kCredential:
    case ErrorClass::kBadRequest:
    case ErrorClass::kInvalid:
      break;
  }
  return std::unexpected(RefusalOf(error));
}

std::expected<bool, Refusal> DeviceLogin::State::Finish(const HttpResponse& response,
                                                        Clock::Steady asked_at) {
  auto read = entra::ReadTokenResponse(response.body, scopes.resource);
  if (!read) return Refuse(Reason::kUpstreamInvalid, {}, read.error().detail);
  const Secret refresh_token = std::move(read->refresh_token);
  if (refresh_token.empty()) {
    return Refuse(Reason::kConsentRequired, "Entra sent no refresh token: allow offline_access.");
  }
  auto token =
      ReadMintedToken(std::move(*read), {ports.clock, asked_at, config.tenant, tenant_guid,
                                         /*credential_version=*/{}, ports.fingerprint_key});
  if (!token) return std::unexpected(token.error());
  if (auto refusal = Check(*token)) return std::unexpected(std::move(*refusal));
  const auto stored =
      store.Put({credential.name, SecretKind::kRefreshToken}, refresh_token, std::nullopt);
  if (!stored) return Refuse(Reason::kStoreUnavailable, {}, "store: " + stored.error().detail);
  consented = std::move(token->scopes);
  return true;
}

std::optional<Refusal> DeviceLogin::State::Check(const AccessToken& token) const {
  const TokenKey key{credential.name, scopes.resource, {}, {}, credential.user};
  // All that was consented to is allowed here: a login hands nothing to an agent.
  auto refusal = CheckMinted(
      token, {.config = config, .credential = credential, .asked = key, .allowed = token.scopes},
      ports.clock.WallNow());
  if (refusal && !token.app_only && token.user_oid != credential.user) {
    refusal->hint = "The object id of the person who logged in is " + token.user_oid +
                    "; the configuration names " + credential.user + ".";
  }
  return refusal;
}

}  // namespace broker
