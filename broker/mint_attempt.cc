#include "broker/mint_attempt.h"

#include <array>
#include <utility>

#include "broker/minted_token.h"
#include "broker/policy/kinds.h"
#include "broker/token_request.h"
#include "broker/vaulted_secret.h"

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

// Whether what was refused may be what a vault gave. A dead grant that is a user's token is none of
// a vault's: whoever passes it on again and again must not have the secret read each time.
bool MayBeStale(ErrorClass error_class, const policy::Credential& credential) {
  const bool granted = error_class == ErrorClass::kGrantDead && credential.kind == "refresh-token";
  return error_class == ErrorClass::kCredential || granted;
}

std::vector<std::string> NamesOf(const TokenKey& key) {
  const bool is_default = key.scopes.size() == 1 && key.scopes.front() == ".default";
  return is_default ? std::vector<std::string>() : key.scopes;
}

}  // namespace

bool HasOnlyOwnClaims(const TokenKey& key) {
  return key.claims.empty() || key.claims == WithContinuousAccess({});
}

MintAttempt::MintAttempt(const Minter::Ports& ports, UpstreamGuard& guard, const MintTask& task)
    : ports_(ports),
      guard_(guard),
      task_(task),
      guarded_(HasOnlyOwnClaims(task.key)
                   ? task.credential.name
                   : UpstreamGuard::WithClaims(task.credential.name, task.who.agent)),
      http_(ports.http, ports.clock,
            task.credential.kind == "managed-identity" ? task.credential.endpoint
                                                       : task.config.tenant.authority),
      access_(ports, task, http_),
      prover_(ports, task, access_, http_) {}

std::expected<AccessToken, Refusal> MintAttempt::Run() {
  auto minted = Mint();
  if (minted) return minted;
  // The refusal stands whether or not this can be written: nothing is released either way.
  if (!access_.RecordFailure(minted.error().reason)) {
    minted.error().detail += " (and the ledger did not take this failure)";
  }
  return minted;
}

std::expected<AccessToken, Refusal> MintAttempt::Mint() {
  const bool asserted = policy::SubjectOf(task_.credential) == policy::Subject::kAssertedUser;
  if (asserted && task_.user_assertion == nullptr) {
    return Refuse(Reason::kMissingField, "Send user_assertion, the user's token.");
  }
  if (const auto read = prover_.Read(task_.credential); !read) {
    return std::unexpected(RefusalOf(read.error()));
  }
  Answer answer = Exchange();
  const auto* error = answer ? nullptr : std::get_if<entra::UpstreamError>(&answer.error());
  if (error != nullptr && MayBeStale(error->error_class, task_.credential)) {
    // Somebody may have enrolled anew since: once more, but only with another secret.
    const std::string refused = access_.Versions();
    access_.Restart();
    if (const auto read = prover_.Read(task_.credential); !read) {
      return std::unexpected(RefusalOf(read.error()));
    }
    if (access_.Versions() != refused) answer = Exchange();
  }
  if (!answer) return std::unexpected(RefusalOf(answer.error()));
  guard_.Succeeded(task_.credential.name);
  if (const auto stored = StoreRotated(*answer); !stored) return std::unexpected(stored.error());
  auto token = ReadMintedToken(
      std::move(*answer), {ports_.clock, http_.asked_at(), task_.config.tenant, task_.tenant_guid,
                           access_.VersionOf(task_.credential), ports_.fingerprint_key});
  // Nobody but the agent can renew it: the user's token is not kept, and what answers one challenge
  // is not worth renewing for a day to come, as often as agents make them up.
  const bool once = task_.user_assertion != nullptr || !HasOnlyOwnClaims(task_.key);
  if (token && once) token->refresh_at = token->expires_at;
  return token;
}

MintAttempt::Answer MintAttempt::Exchange() {
  Answer answer = SendOnce();
  const auto* error = answer ? nullptr : std::get_if<entra::UpstreamError>(&answer.error());
  if (error == nullptr || error->retry_after || !Describe(error->error_class).retry_once) {
    return answer;
  }
  ports_.sleeper.Sleep(RetryDelay(ports_.random));
  return SendOnce();
}

MintAttempt::Answer MintAttempt::SendOnce() {
  const policy::Credential& credential = task_.credential;
  const std::string& resource = task_.key.resource;
  if (credential.kind == "managed-identity") return prover_.ManagedIdentity(credential, resource);
  auto client = prover_.Prove(credential);
  if (!client) return std::unexpected(std::move(client.error()));
  const entra::Authority authority{task_.config.tenant.authority, task_.config.tenant.id};
  const bool all = policy::AsksForDefault(credential);
  const entra::Wanted wanted{
      entra::ScopeText(resource, all ? std::vector<std::string>() : NamesOf(task_.key)),
      task_.key.claims, task_.who.request_id};
  if (credential.kind == "refresh-token") {
    auto refresh_token = access_.Fetch(credential, SecretKind::kRefreshToken);
    if (!refresh_token) return std::unexpected(std::move(refresh_token.error()));
    return http_.SendForToken(entra::RefreshTokenGrant(authority, *client, **refresh_token, wanted),
                              resource);
  }
  switch (policy::SubjectOf(credential)) {
    case policy::Subject::kConfiguredUser:
      return SendAsAgentUser(*client, wanted);
    case policy::Subject::kAssertedUser:
      return http_.SendForToken(
          entra::OnBehalfOfGrant(authority, *client, *task_.user_assertion, wanted), resource);
    case policy::Subject::kApplication:
      break;
  }
  return http_.SendForToken(entra::ClientCredentialsGrant(authority, *client, wanted), resource);
}

MintAttempt::Answer MintAttempt::SendAsAgentUser(const entra::Client& client,
                                                 const entra::Wanted& wanted) {
  auto agent_token = prover_.AgentToken(client);
  if (!agent_token) return std::unexpected(std::move(agent_token.error()));
  const entra::Authority authority{task_.config.tenant.authority, task_.config.tenant.id};
  return http_.SendForToken(
      entra::AgentUserGrant(authority, client, *agent_token, task_.credential.user, wanted),
      task_.key.resource);
}

// What only the user of the request can mend: no operator signs in for them.
void MintAttempt::SendToUser(const entra::UpstreamError& error, Refusal* refusal) {
  if (error.error_class == ErrorClass::kGrantDead) {
    refusal->reason = Reason::kInvalidUserAssertion;
  }
  if (error.error_class == ErrorClass::kInteraction) {
    refusal->hint = "Here it is the user who signs in, at the application that called you.";
    refusal->claims = error.claims;
  }
}

Refusal MintAttempt::RefusalOf(const MintFault& fault) {
  if (const auto* refusal = std::get_if<Refusal>(&fault)) {
    guard_.NeverAsked(guarded_);
    RememberVault(*refusal);
    return *refusal;
  }
  return Remember(std::get<entra::UpstreamError>(fault));
}

void MintAttempt::RememberVault(const Refusal& refusal) {
  const std::string& name = task_.credential.name;
  if (refusal.reason == Reason::kCredentialUnavailable) {
    guard_.Rejected(name, refusal, UpstreamGuard::kRefusedSecretPause);
  }
  if (refusal.reason == Reason::kStoreUnavailable) guard_.SecretUnread(name, refusal);
}

Refusal MintAttempt::Remember(const entra::UpstreamError& error) {
  const std::string& name = task_.credential.name;
  Refusal refusal{Describe(error.error_class).reason, {}, error.detail, error.retry_after};
  if (task_.user_assertion != nullptr) SendToUser(error, &refusal);
  if (error.retry_after) guard_.Throttled(name, *error.retry_after, error.detail);
  const bool answered = error.error_class != ErrorClass::kTransient &&
                        error.error_class != ErrorClass::kThrottled &&
                        error.error_class != ErrorClass::kInvalid;
  if (answered) guard_.Answered(guarded_);
  // One user's token or account says nothing about the others that the credential serves.
  const bool of_user =
      error.error_class == ErrorClass::kGrantDead || error.error_class == ErrorClass::kPrincipal;
  if (of_user && task_.user_assertion != nullptr) return refusal;
  switch (error.error_class) {
    case ErrorClass::kTransient:
      guard_.FailedTransiently(guarded_, error.detail);
      break;
    case ErrorClass::kGrantDead:
      RememberDeadGrant(refusal);
      break;
    case ErrorClass::kPrincipal:
    case ErrorClass::kCredential:
      guard_.Rejected(guarded_, refusal);
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

// An application has no grant that a login could renew: it may be tried again later. Nor does an
// agent end a grant that others share with claims of its own choosing: where the grant is dead
// indeed, the next request without any will tell.
void MintAttempt::RememberDeadGrant(const Refusal& refusal) {
  if (task_.credential.kind == "refresh-token" && HasOnlyOwnClaims(task_.key)) {
    guard_.GrantDied(task_.credential.name, refusal);
  } else {
    guard_.Rejected(guarded_, refusal);
  }
}

std::expected<void, Refusal> MintAttempt::StoreRotated(const entra::TokenResponse& response) {
  if (task_.credential.kind != "refresh-token" || response.refresh_token.empty()) return {};
  const SecretId id{task_.credential.name, SecretKind::kRefreshToken};
  const auto used = access_.Fetch(task_.credential, id.kind);
  if (used && response.refresh_token.Equals(**used)) return {};
  const std::string version = access_.VersionOf(task_.credential);
  if (!task_.credential.vault.empty()) {
    ledger::Entry who = task_.who;
    who.target_resource = task_.key.resource;
    const auto replaced =
        VaultedSecret({ports_.vault, ports_.ledger}, task_.config, task_.credential, std::move(who))
            .Replace(version, response.refresh_token);
    // A replica that was first stored one that is as good: that one stays.
    if (replaced || replaced.error().reason == Reason::kConflict) return {};
    Refusal refusal = replaced.error();
    refusal.detail.insert(0, "rotated refresh token not stored: ");
    RememberVault(refusal);
    return std::unexpected(std::move(refusal));
  }
  const auto stored = ports_.vault.Replace(id, version, response.refresh_token);
  // kConflict: somebody stored a newer one meanwhile, an operator's login perhaps. That one stays.
  if (stored || stored.error().code == ErrorCode::kConflict) return {};
  Refusal refusal = access_.RefusedBy(task_.credential, stored.error());
  refusal.detail.insert(0, "rotated refresh token not stored: ");
  RememberVault(refusal);
  return std::unexpected(std::move(refusal));
}

}  // namespace broker
