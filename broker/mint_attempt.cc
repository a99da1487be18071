#include "broker/mint_attempt.h"

#include <array>
#include <utility>

#include "broker/entra/client_assertion.h"
#include "broker/minted_token.h"

namespace broker {
namespace {

using entra::ErrorClass;

// One retry after a second, as Microsoft's client library does; the jitter keeps the credentials of
// one purser, and many pursers, from asking again in step.
constexpr std::chrono::milliseconds kRetryDelay{750};
constexpr uint32_t kRetryJitterMs = 512;

std::chrono::milliseconds RetryDelay(Random& random) {
  std::array<std::byte, 2> bytes{};
  random.Fill(bytes);
  const auto value = static_cast<uint32_t>(bytes[0]) << 8 | static_cast<uint32_t>(bytes[1]);
  return kRetryDelay + std::chrono::milliseconds(value % kRetryJitterMs);
}

std::string HostOf(std::string_view url) {
  const size_t start = url.find("://");
  const size_t host = start == url.npos ? 0 : start + 3;
  return std::string(url.substr(host, url.find('/', host) - host));
}

bool MayBeStale(ErrorClass error_class) {
  return error_class == ErrorClass::kCredential || error_class == ErrorClass::kGrantDead;
}

std::vector<std::string> NamesOf(const TokenKey& key) {
  const bool is_default = key.scopes.size() == 1 && key.scopes.front() == ".default";
  return is_default ? std::vector<std::string>() : key.scopes;
}

}  // namespace

std::optional<SecretKind> SecretKindOf(const policy::Credential& credential) {
  if (credential.kind == "refresh-token") return SecretKind::kRefreshToken;
  if (credential.kind == "client-secret") return SecretKind::kClientSecret;
  if (credential.kind == "certificate") return SecretKind::kCertificate;
  return std::nullopt;
}

Refusal VaultRefusal(const Error& error) {
  const auto reason = error.code == ErrorCode::kNotFound ? Reason::kCredentialNotEnrolled
                                                         : Reason::kStoreUnavailable;
  return {reason, {}, "vault: " + error.detail, std::nullopt};
}

Refusal LedgerRefusal(const Error& error) {
  if (error.code == ErrorCode::kDenied) return {Reason::kKilled, {}, error.detail, std::nullopt};
  const auto reason =
      error.code == ErrorCode::kInvalidRequest ? Reason::kInternal : Reason::kLedgerUnavailable;
  return {reason, {}, "ledger: " + error.detail, std::nullopt};
}

std::expected<AccessToken, Refusal> MintAttempt::Run() {
  auto minted = Mint();
  if (minted) return minted;
  // The refusal stands whether or not this can be written: nothing is released either way.
  if (!RecordAccess(ledger::Outcome::kFailure, minted.error().reason)) {
    minted.error().detail += " (and the ledger did not take this failure)";
  }
  return minted;
}

std::expected<AccessToken, Refusal> MintAttempt::Mint() {
  if (const auto done = FetchSecrets(); !done) return std::unexpected(done.error());
  auto answer = Exchange();
  if (answer && !*answer && MayBeStale(answer->error().error_class)) {
    // Somebody may have enrolled anew since: once more, but only with another secret.
    const std::string refused = secret_.version;
    if (const auto done = FetchSecrets(); !done) return std::unexpected(done.error());
    if (secret_.version != refused) answer = Exchange();
  }
  if (!answer) return std::unexpected(answer.error());
  if (!*answer) return std::unexpected(Remember(answer->error()));
  guard_.Succeeded(task_.credential.name);
  if (const auto stored = StoreRotated(**answer); !stored) return std::unexpected(stored.error());
  return ReadMintedToken(std::move(**answer),
                         {ports_.clock, asked_at_, task_.config.tenant, task_.tenant_guid,
                          secret_.version, ports_.fingerprint_key});
}

std::expected<void, Refusal> MintAttempt::RecordAccess(ledger::Outcome outcome, Reason reason) {
  ledger::Entry entry = task_.who;
  entry.type = ledger::EntryType::kCredentialAccess;
  entry.outcome = outcome;
  entry.reason = outcome == ledger::Outcome::kSuccess ? "" : std::string(Describe(reason).name);
  entry.credential_name = task_.credential.name;
  entry.credential_kind = task_.credential.kind;
  entry.credential_version = secret_.version;  // empty before the secret was read
  entry.target_resource = task_.key.resource;
  entry.scopes = task_.key.scopes;
  entry.upstream_host = HostOf(task_.config.tenant.authority);
  entry.upstream_status = upstream_status_;
  entry.upstream_ms = upstream_ms_;
  const auto receipt = ports_.ledger.Append(entry);
  if (!receipt) return std::unexpected(LedgerRefusal(receipt.error()));
  return {};
}

std::expected<void, Refusal> MintAttempt::FetchSecrets() {
  const policy::Credential& credential = task_.credential;
  const auto kind = SecretKindOf(credential);
  if (!kind) return Refuse(Reason::kInternal, {}, "unknown kind of credential " + credential.kind);
  const auto recorded = RecordAccess(ledger::Outcome::kSuccess, Reason::kInternal);
  if (!recorded) return recorded;
  auto fetched = ports_.vault.Fetch({credential.name, *kind});
  if (!fetched) return std::unexpected(VaultRefusal(fetched.error()));
  secret_ = std::move(*fetched);
  if (*kind != SecretKind::kRefreshToken || !credential.confidential) return {};
  auto client_secret = ports_.vault.Fetch({credential.name, SecretKind::kClientSecret});
  if (!client_secret) return std::unexpected(VaultRefusal(client_secret.error()));
  client_secret_ = std::move(*client_secret);
  return {};
}

std::expected<HttpRequest, Refusal> MintAttempt::BuildRequest() {
  const policy::Tenant& tenant = task_.config.tenant;
  const entra::Authority authority{tenant.authority, tenant.id};
  entra::Client client{task_.credential.client_id, {}, {}};
  entra::Wanted wanted{{}, task_.key.claims, task_.who.request_id};
  if (task_.credential.kind == "refresh-token") {
    wanted.scope = entra::ScopeText(task_.key.resource, NamesOf(task_.key));
    if (task_.credential.confidential) client.secret = client_secret_.value.Clone();
    return entra::RefreshTokenGrant(authority, client, secret_.value, wanted);
  }
  wanted.scope = entra::ScopeText(task_.key.resource, {});
  if (task_.credential.kind == "certificate") {
    auto assertion = SignAssertion(authority);
    if (!assertion) return std::unexpected(std::move(assertion.error()));
    client.assertion = std::move(*assertion);
  } else {
    client.secret = secret_.value.Clone();
  }
  return entra::ClientCredentialsGrant(authority, client, wanted);
}

std::expected<Secret, Refusal> MintAttempt::SignAssertion(const entra::Authority& authority) {
  const auto certificate = entra::ParseClientCertificate(secret_.value);
  if (!certificate) {
    return Refuse(Reason::kCredentialRejected, {}, certificate.error().detail);
  }
  auto assertion =
      entra::SignClientAssertion(*certificate, task_.credential.client_id,
                                 entra::TokenUrl(authority), ports_.clock.WallNow(), ports_.random);
  if (!assertion) return Refuse(Reason::kInternal, {}, assertion.error().detail);
  return std::move(*assertion);
}

// Outer error: nothing was sent. Inner error: what Entra, or the way to it, made of the request.
std::expected<MintAttempt::Answer, Refusal> MintAttempt::Exchange() {
  auto request = BuildRequest();
  if (!request) return std::unexpected(request.error());
  Answer answer = SendOnce(*request);
  if (answer || answer.error().retry_after || !Describe(answer.error().error_class).retry_once) {
    return answer;
  }
  ports_.sleeper.Sleep(RetryDelay(ports_.random));
  request = BuildRequest();  // an assertion is used once
  if (!request) return std::unexpected(request.error());
  return SendOnce(*request);
}

MintAttempt::Answer MintAttempt::SendOnce(const HttpRequest& request) {
  asked_at_ = ports_.clock.Now();
  const auto response = ports_.http.Send(request);
  upstream_ms_ =
      std::chrono::duration_cast<std::chrono::milliseconds>(ports_.clock.Now() - asked_at_).count();
  upstream_status_ = response ? response->status : 0;
  if (!response) return std::unexpected(entra::ReadTransportError(response.error()));
  if (response->status != 200) return std::unexpected(entra::ReadUpstreamError(*response));
  auto read = entra::ReadTokenResponse(response->body, task_.key.resource);
  if (!read) return std::unexpected(entra::ReadTransportError(read.error()));
  return std::move(*read);
}

Refusal MintAttempt::Remember(const entra::UpstreamError& error) {
  const std::string& name = task_.credential.name;
  Refusal refusal{Describe(error.error_class).reason, {}, error.detail, error.retry_after};
  if (error.retry_after) guard_.Throttled(name, *error.retry_after);
  switch (error.error_class) {
    case ErrorClass::kTransient:
      guard_.FailedTransiently(name);
      break;
    case ErrorClass::kGrantDead:
      // An application has no grant that a login could renew: it may be tried again later. Nor does
      // an agent end a grant that others share with claims of its own choosing: where the grant is
      // dead indeed, the next request without any will tell.
      if (task_.credential.kind == "refresh-token" && task_.key.claims.empty()) {
        guard_.GrantDied(name, refusal);
      } else {
        guard_.Rejected(name, refusal);
      }
      break;
    case ErrorClass::kPrincipal:
    case ErrorClass::kCredential:
      guard_.Rejected(name, refusal);
      break;
    case ErrorClass::kThrottled:
    case ErrorClass::kInteraction:  // these four may concern this request alone, not the next
    case ErrorClass::kConsent:
    case ErrorClass::kPolicy:
    case ErrorClass::kBadRequest:
    case ErrorClass::kPending:
    case ErrorClass::kSlowDown:
    case ErrorClass::kDeclined:
    case ErrorClass::kCodeExpired:
    case ErrorClass::kInvalid:
      break;
  }
  return refusal;
}

std::expected<void, Refusal> MintAttempt::StoreRotated(const entra::TokenResponse& response) {
  const bool rotated =
      !response.refresh_token.empty() && !response.refresh_token.Equals(secret_.value);
  if (task_.credential.kind != "refresh-token" || !rotated) return {};
  const SecretId id{task_.credential.name, SecretKind::kRefreshToken};
  const auto stored = ports_.vault.Replace(id, secret_.version, response.refresh_token);
  // kConflict: somebody stored a newer one meanwhile, an operator's login perhaps. That one stays.
  if (stored || stored.error().code == ErrorCode::kConflict) return {};
  return std::unexpected(Refusal{Reason::kStoreUnavailable,
                                 {},
                                 "rotated refresh token not stored: " + stored.error().detail,
                                 std::nullopt});
}

}  // namespace broker
