#include "broker/broker.h"

#include <utility>

#include "broker/minted_check.h"
#include "broker/policy/scopes.h"

namespace broker {
namespace {

using ledger::Entry, ledger::EntryType, ledger::Outcome;

Entry EntryFor(const Caller& caller, const TokenRequest& request, const std::string& request_id,
               const policy::Config& config) {
  Entry entry;
  entry.agent = caller.agent;
  entry.caller = RecordOf(caller.facts);
  entry.claimed = request.context;
  entry.request_id = request_id;
  entry.trace = request.trace;
  entry.scopes = request.scopes;
  entry.policy_sha256 = config.sha256;
  return entry;
}

std::vector<std::string> NamesOf(const std::vector<const policy::Rule*>& rules) {
  std::vector<std::string> names;
  names.reserve(rules.size());
  for (const policy::Rule* rule : rules) names.push_back(rule->name);
  return names;
}

void Describe(const policy::Grant& grant, Entry* entry) {
  entry->target_kind = "resource";
  entry->target_resource = grant.scopes.resource;
  entry->scopes = grant.scopes.names;
  entry->credential_name = grant.credential->name;
  entry->credential_kind = grant.credential->kind;
  entry->policy_rule = policy::JoinNames(NamesOf(grant.rules), ",");
}

TokenKey KeyFor(const policy::Grant& grant, const std::string& claims) {
  return {grant.credential->name, grant.scopes.resource, grant.scopes.names, claims,
          grant.credential->user};
}

// What is asked of Entra. An application's token always holds all its roles at the resource, by
// whatever names it was asked for: one such token serves them all.
TokenKey MintKey(TokenKey asked, const policy::Credential& credential) {
  if (credential.kind != "refresh-token") asked.scopes = {".default"};
  return asked;
}

Entry Issued(Entry entry, const AccessToken& token) {
  entry.type = EntryType::kTokenIssued;
  entry.outcome = Outcome::kSuccess;
  entry.user_oid = token.user_oid;
  entry.credential_version = token.credential_version;
  entry.token_fp = token.fingerprint;
  entry.token_uti = token.uti;
  entry.token_exp = token.exp_unix;
  return entry;
}

// A registration may be consented to scopes of several resources; a token has one.
std::expected<RequestedScopes, Refusal> FirstResource(const std::vector<std::string>& scopes,
                                                      const std::string& graph) {
  std::vector<std::string> same;
  std::string resource;
  for (const std::string& scope : scopes) {
    const auto one = ParseScopes({scope}, graph);
    if (!one) return std::unexpected(one.error());
    if (resource.empty()) resource = one->resource;
    if (one->resource == resource) same.push_back(scope);
  }
  return ParseScopes(same, graph);
}

// What the agent is told when an entry that had to be durable is not.
Refusal FromLedger(const Error& error) {
  const Reason reason =
      error.code == ErrorCode::kDenied ? Reason::kKilled : Reason::kLedgerUnavailable;
  return {reason, {}, error.detail, {}};
}

}  // namespace

ledger::CallerRecord RecordOf(const policy::Facts& facts) {
  return {.uid = facts.uid,
          .gid = facts.gid,
          .pid = facts.pid,
          .exe_sha256 = facts.exe_sha256,
          .unit = facts.systemd_unit,
          .loginuid = facts.loginuid};
}

Broker::Broker(Ports ports, SharedConfig config)
    : ports_(std::move(ports)), budgets_(ports_.clock), config_(std::move(config)) {}

std::expected<IssuedToken, Denied> Broker::IssueToken(const Caller& caller,
                                                      const TokenRequest& request,
                                                      const std::string& request_id) {
  const SharedConfig now = config();
  Entry entry = EntryFor(caller, request, request_id, *now);
  const auto deny = [&](Refusal refusal) {
    return std::unexpected(Deny(std::move(entry), std::move(refusal)));
  };

  if (caller.alive && !caller.alive()) return deny({Reason::kCallerGone, {}, {}, {}});
  const auto grant = policy::Decide(*now, caller.agent, request);
  if (!grant) return deny(grant.error());
  Describe(*grant, &entry);
  if (request.dry_run) return IssuedToken{nullptr, NamesOf(grant->rules), {}};
  if (auto over = budgets_.Take(*grant->agent, grant->rules)) return deny(std::move(*over));

  if (!ports_.unsealed()) return deny({Reason::kSealed, {}, {}, {}});

  const auto claims = CanonicalClaims(request.claims);
  if (!claims) return deny(claims.error());
  const TokenKey asked = KeyFor(*grant, *claims);
  const TokenKey key = MintKey(asked, *grant->credential);
  const MintResult token = ports_.cache.GetOrMint(key, request.min_validity, [&] {
    return ports_.minter.Mint(*now, *grant->credential, key, entry);
  });
  if (!token) return deny(token.error());

  if (auto wrong = CheckMinted(**token, *now, *grant->credential, asked,
                               policy::AllowedScopes(*now, *grant), ports_.clock.WallNow())) {
    // A tenant that was mended serves again at once. What holds too much or too little was minted
    // as configured: minting it again and again at an agent's request would help nobody.
    // Nor may claims of an agent's own choosing take away what others share.
    if (wrong->reason == Reason::kMintedMismatch && key.claims.empty()) {
      ports_.cache.Evict(key.credential);
    }
    return deny(std::move(*wrong));
  }
  if (caller.alive && !caller.alive()) return deny({Reason::kCallerGone, {}, {}, {}});

  const auto receipt = ports_.ledger.Append(Issued(entry, **token));
  if (!receipt) return deny(FromLedger(receipt.error()));
  return IssuedToken{*token, NamesOf(grant->rules), *receipt};
}

Denied Broker::Deny(Entry entry, Refusal refusal) {
  entry.type = EntryType::kTokenDenied;
  entry.outcome = Outcome::kFailure;
  entry.reason = broker::Describe(refusal.reason).name;
  auto receipt = ports_.ledger.Append(entry);
  if (!receipt && receipt.error().code == ErrorCode::kInvalidRequest) {
    // What no line can hold was sent to leave no trace: who was refused, and why, stands all the
    // same.
    entry.scopes.clear();
    entry.claimed = {};
    entry.trace.clear();
    entry.request_id.clear();
    receipt = ports_.ledger.Append(entry);
  }
  return {std::move(refusal), receipt ? std::optional(*receipt) : std::nullopt};
}

Denied Broker::RecordRejected(const Caller& caller, Reason reason, const std::string& request_id) {
  return Deny(EntryFor(caller, {}, request_id, *config()), {reason, {}, {}, {}});
}

MintResult Broker::Renew(const TokenKey& key) {
  const SharedConfig now = config();
  const auto credential = now->credentials.find(key.credential);
  if (credential == now->credentials.end()) return Refuse(Reason::kNoRule);
  Entry who;
  who.target_kind = "renewal";
  who.target_resource = key.resource;
  who.scopes = key.scopes;
  who.policy_sha256 = now->sha256;
  return ports_.minter.Mint(*now, credential->second, key, who);
}

MintResult Broker::Try(const std::string& credential, const Entry& who) {
  const SharedConfig now = config();
  const auto found = now->credentials.find(credential);
  if (found == now->credentials.end()) {
    return Refuse(Reason::kNotFound, "The configuration has no credential of that name.");
  }
  if (!ports_.unsealed()) return Refuse(Reason::kSealed);
  const auto scopes = FirstResource(found->second.scopes, now->tenant.graph);
  if (!scopes) return std::unexpected(scopes.error());
  const TokenKey key{credential, scopes->resource, scopes->names, {}, found->second.user};
  return ports_.minter.Mint(*now, found->second, MintKey(key, found->second), who);
}

std::optional<uint32_t> Broker::RemainingBudget(const std::string& agent) {
  const SharedConfig now = config();
  const auto found = now->agents.find(agent);
  if (found == now->agents.end()) return std::nullopt;
  return budgets_.Remaining(found->second);
}

void Broker::SetConfig(SharedConfig config) {
  const std::scoped_lock lock(mutex_);
  config_ = std::move(config);
}

SharedConfig Broker::config() const {
  const std::scoped_lock lock(mutex_);
  return config_;
}

}  // namespace broker
