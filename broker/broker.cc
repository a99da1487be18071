#include "broker/broker.h"

#include <utility>

#include "broker/credential_access.h"
#include "broker/minted_check.h"
#include "broker/pending_request.h"
#include "broker/policy/kinds.h"
#include "broker/policy/scopes.h"
#include "broker/request_entry.h"

namespace broker {
namespace {

using ledger::Entry;

TokenKey KeyFor(const policy::Grant& grant, const std::string& claims) {
  return {grant.credential->name, grant.scopes.resource, grant.scopes.names, claims,
          grant.credential->user};
}

// What is asked of Entra. An application's token always holds all its roles at the resource, by
// whatever names it was asked for, and so do an agent identity's: one such token serves them all.
TokenKey MintKey(TokenKey asked, const policy::Credential& credential) {
  if (policy::AsksForDefault(credential)) asked.scopes = {".default"};
  return asked;
}

// Whose rights are asked for is never left open: a user's token where nobody acts for users is as
// much an error as none where somebody does.
std::optional<Refusal> CheckAsserted(const TokenRequest& request,
                                     const policy::Credential& credential) {
  const bool wanted = policy::SubjectOf(credential) == policy::Subject::kAssertedUser;
  if (wanted == (request.user_assertion != nullptr)) return std::nullopt;
  if (wanted) {
    return Refusal{Reason::kMissingField, "Send user_assertion, the user's token.", {}, {}};
  }
  return Refusal{Reason::kUnknownField, "Leave out user_assertion: no user is acted for.", {}, {}};
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

}  // namespace

Broker::Broker(Ports ports, SharedConfig config)
    : ports_(std::move(ports)),
      budgets_(ports_.clock),
      outstanding_(ports_.clock),
      config_(std::move(config)) {}

void Broker::IssueToken(const Caller& caller, const TokenRequest& request,
                        const std::string& request_id, Answer answer) {
  SharedConfig now = config();
  Entry entry = EntryFor(caller.agent, caller.facts, request, request_id, now->sha256);
  auto pending = std::make_unique<Pending>(Pending{.config = std::move(now),
                                                   .caller = caller,
                                                   .entry = std::move(entry),
                                                   .answer = std::move(answer)});
  if (auto refusal = Authorize(*pending, request)) {
    return Deny(std::move(*pending), std::move(*refusal));
  }
  if (request.dry_run) {
    return pending->answer(IssuedToken{
        nullptr, NamesOf(pending->grant->rules), {}, pending->grant->approval.has_value()});
  }
  if (pending->grant->approval) {
    Wait(*pending);
    return Start(std::move(pending), &Broker::Gate);
  }
  if (pending->challenged && !pending->user_assertion) DropRefused(*pending);
  if (!pending->user_assertion) {
    pending->token = ports_.cache.Find(pending->key, pending->min_validity);
  }
  if (pending->token) return Release(std::move(pending));
  // What could not be released is not minted. A kept token of its user may be one that it has.
  if (!pending->user_assertion) {
    auto full = budgets_.CheckRoom(*pending->grant->agent, pending->grant->rules);
    if (full) return Deny(std::move(*pending), std::move(*full));
  }
  Wait(*pending);
  Start(std::move(pending), &Broker::Mint);
}

void Broker::Start(std::unique_ptr<Pending> pending, Step step) {
  // Shared only because a job that finds no room is gone with what it holds.
  const auto kept = std::make_shared<std::unique_ptr<Pending>>(std::move(pending));
  if (ports_.wait([this, kept, step] { (this->*step)(std::move(*kept)); })) return;
  if ((*kept)->waiting->Claim()) Deny(std::move(**kept), {Reason::kOverloaded, {}, {}, {}});
}

// From here on a stop of its agent answers it at once. The answer is kept until both who may give
// it are gone: what the request borrows lives as long.
void Broker::Wait(Pending& pending) {
  const auto answer = std::make_shared<Answer>(std::move(pending.answer));
  const auto give = [answer](auto result) { (*answer)(std::move(result)); };
  pending.answer = give;
  pending.waiting = waiting_.Add(pending.caller.agent,
                                 [this, entry = pending.entry, give](Refusal refusal) mutable {
                                   Deny(std::move(entry), std::move(refusal), give);
                                 });
  // A stop between the first look and here has not seen that it waits.
  if (kills_.IsStopped(pending.caller.agent)) {
    waiting_.RefuseAll(pending.caller.agent, {Reason::kKilled, {}, {}, {}});
  }
}

// Why nothing is to be issued; else `pending` has what is to be minted.
std::optional<Refusal> Broker::Authorize(Pending& pending, const TokenRequest& request) {
  if (kills_.IsStopped(pending.caller.agent)) return Refusal{Reason::kKilled, {}, {}, {}};
  auto grant = policy::Decide(*pending.config, pending.caller.agent, request);
  if (!grant) return std::move(grant.error());
  DescribeGrant(*grant, &pending.entry);
  pending.grant = std::move(*grant);
  if (auto misplaced = CheckAsserted(request, *pending.grant->credential)) return misplaced;
  if (IsRevoked(pending)) return Refusal{Reason::kCredentialRevoked, {}, {}, {}};
  if (!request.approval.empty() && !pending.grant->approval) {
    return Refusal{Reason::kApprovalMismatch, "Leave out approval: no person is asked.", {}, {}};
  }
  if (request.dry_run) return std::nullopt;
  if (!pending.grant->approval) {
    if (auto over = TakeBudget(pending)) return over;
  }
  if (!ports_.unsealed()) return Refusal{Reason::kSealed, {}, {}, {}};
  auto claims = CanonicalClaims(request.claims);
  if (!claims) return claims.error();
  pending.challenged = !claims->empty();
  if (pending.grant->continuous_access) claims = WithContinuousAccess(*claims);
  pending.asked = KeyFor(*pending.grant, *claims);
  pending.key = MintKey(pending.asked, *pending.grant->credential);
  pending.min_validity = request.min_validity;
  pending.user_assertion = request.user_assertion;
  pending.wanted = request.approval;
  if (request.wait.count() > 0) pending.hold_until = ports_.clock.Now() + request.wait;
  return std::nullopt;
}

std::optional<Refusal> Broker::TakeBudget(const Pending& pending) {
  const policy::Grant& grant = *pending.grant;
  return budgets_.Take(*grant.agent, grant.rules, pending.entry.claimed.task);
}

bool Broker::IsRevoked(const Pending& pending) const {
  return ports_.revocations != nullptr &&
         ports_.revocations->Find(*pending.config, *pending.grant->credential).has_value();
}

// A resource refused the token that the agent had: it gets no kept one that may be the same. What
// others share serves on until it was renewed: the agent alone says that it was refused.
void Broker::DropRefused(const Pending& pending) {
  ports_.cache.Drop(pending.key);
  TokenKey plain = pending.key;
  plain.claims = pending.grant->continuous_access ? WithContinuousAccess({}) : std::string();
  if (pending.user_assertion) return ports_.cache.Drop(plain);
  ports_.cache.Doubt(plain);
}

// A tenant that was mended serves again in a moment; but what one request finds wrong takes no more
// from others than the token that it found. One that lives too long for this agent's rule alone
// serves them until it was renewed, perhaps by a shorter one.
void Broker::DropMismatched(const Pending& pending, MintedTerms terms) {
  terms.max_lifetime = {};
  const auto wrong = CheckMinted(*pending.token, terms, ports_.clock.WallNow());
  const bool suits_others = !wrong || wrong->reason != Reason::kMintedMismatch;
  if (suits_others && !pending.user_assertion) return ports_.cache.Doubt(pending.key);
  ports_.cache.Drop(pending.key);
}

void Broker::Mint(std::unique_ptr<Pending> pending) {
  MintResult token = TokenFor(*pending);
  if (!pending->waiting->Claim()) return;  // its agent was stopped, and it has its answer
  if (!token) return Deny(std::move(*pending), std::move(token.error()));
  pending->token = std::move(*token);
  Release(std::move(pending));
}

MintResult Broker::TokenFor(Pending& pending) {
  if (IsGone(pending.caller)) return Refuse(Reason::kCallerGone);
  const policy::Credential& credential = *pending.grant->credential;
  if (pending.pass) {  // its own alone: neither a kept one, nor one to be kept
    return ports_.minter.Mint(*pending.config, credential, pending.key, pending.entry,
                              pending.user_assertion.get());
  }
  // No other assertion of the same user is needed for a kept token then.
  if (auto refusal = VerifyUser(pending)) return std::unexpected(std::move(*refusal));
  if (pending.user_assertion && pending.challenged) DropRefused(pending);
  if (kills_.IsStopped(pending.caller.agent)) return Refuse(Reason::kKilled);
  return ports_.cache.GetOrMint(pending.key, pending.min_validity, [&] {
    return MintFit(*pending.config, credential, pending.key, pending.entry,
                   pending.user_assertion.get());
  });
}

// What may be released to nobody is refused here already, so that it is never kept.
MintResult Broker::MintFit(const policy::Config& config, const policy::Credential& credential,
                           const TokenKey& key, const Entry& who, const Secret* user_assertion) {
  MintResult token = ports_.minter.Mint(config, credential, key, who, user_assertion);
  if (!token) return token;
  auto unfit = CheckForAnybody(**token, config, credential, key, ports_.clock.WallNow());
  if (!unfit) return token;
  ports_.minter.ReportRefused(credential, who.request_id, *unfit);
  return std::unexpected(std::move(*unfit));
}

void Broker::Release(std::unique_ptr<Pending> pending) {
  const policy::Grant& grant = *pending->grant;
  const MintedTerms terms{.config = *pending->config,
                          .credential = *grant.credential,
                          .asked = pending->asked,
                          .allowed = policy::AllowedScopes(*pending->config, grant),
                          .max_lifetime = grant.max_lifetime,
                          .continuous_access = grant.continuous_access};
  auto refusal = CheckMinted(*pending->token, terms, ports_.clock.WallNow());
  if (refusal) ports_.minter.ReportRefused(*grant.credential, pending->entry.request_id, *refusal);
  // What holds too much for this agent is kept for another who may have it: minting it again at an
  // agent's request would help nobody.
  if (refusal && refusal->reason == Reason::kMintedMismatch && !pending->pass) {
    DropMismatched(*pending, terms);
  }
  if (!refusal && IsGone(pending->caller)) refusal = Refusal{Reason::kCallerGone, {}, {}, {}};
  if (!refusal) {
    refusal = budgets_.Hold(*grant.agent, grant.rules,
                            {pending->token->fingerprint, pending->token->exp_unix});
  }
  if (!refusal) refusal = TakeUse(*pending);
  // Last, for the counted use has waited for the disk.
  if (!refusal && IsRevoked(*pending)) refusal = Refusal{Reason::kCredentialRevoked, {}, {}, {}};
  if (refusal) return Deny(std::move(*pending), std::move(*refusal));
  Entry& entry = pending->entry;
  DescribeRelease(*pending->token, &entry);
  ports_.ledger.AppendThen(entry, [this, pending = std::move(pending)](
                                      Result<LedgerReceipt> receipt) mutable {
    if (receipt) {
      if (pending->grant->notify) Notify(*pending, receipt->seq);
      if (ports_.metrics != nullptr) {
        ports_.metrics->Issued(pending->caller.agent,
                               pending->waiting ? Metrics::Source::kMint : Metrics::Source::kCache);
      }
      outstanding_.Note(pending->caller.agent, pending->asked, *pending->token, receipt->seq);
      return pending->answer(
          IssuedToken{std::move(pending->token), NamesOf(pending->grant->rules), *receipt});
    }
    Refusal why = LedgerRefusal(receipt.error());
    // A ledger that wrote no release now writes no refusal either.
    if (why.reason == Reason::kLedgerUnavailable) {
      if (ports_.metrics != nullptr) {
        ports_.metrics->Denied(pending->caller.agent, why.reason);
      }
      return pending->answer(std::unexpected(Denied{std::move(why), std::nullopt}));
    }
    TakeBack(&pending->entry);
    Deny(std::move(*pending), std::move(why));
  });
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
  return MintFit(*now, credential->second, key, who);
}

MintResult Broker::Try(const std::string& credential, const Entry& who) {
  const SharedConfig now = config();
  const auto found = now->credentials.find(credential);
  if (found == now->credentials.end()) {
    return Refuse(Reason::kNotFound, "The configuration has no credential of that name.");
  }
  if (!ports_.unsealed()) return Refuse(Reason::kSealed);
  if (policy::SubjectOf(found->second) == policy::Subject::kAssertedUser) {
    return Refuse(Reason::kMissingField, "Only a request that brings a user's token can try it.");
  }
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

void Broker::Stop(const std::string& agent) {
  kills_.Engage(agent);
  const SharedConfig now = config();
  for (const auto& [name, configured] : now->agents) {
    if (!agent.empty() && name != agent) continue;
    for (const policy::Rule& rule : configured.rules) ports_.cache.Evict(rule.credential);
  }
  waiting_.RefuseAll(agent, {Reason::kKilled, {}, {}, {}});
  if (ports_.approvals != nullptr) ports_.approvals->EndAll(agent);
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
