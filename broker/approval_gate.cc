// Broker: a rule that waits for a person's yes, and one that tells.
#include <algorithm>
#include <utility>

#include "broker/base/inert_text.h"
#include "broker/base/unix_time.h"
#include "broker/pending_request.h"
#include "broker/policy/scopes.h"

namespace broker {
namespace {

// What the window has seen to already: a person is to read it.
bool IsReadable(const ledger::ClaimedContext& claimed) {
  return IsInertText(claimed.purpose) && IsInertText(claimed.task) &&
         IsInertText(claimed.requested_by);
}

// Entra puts all that the registration is consented to into the token: so the yes is to all of it.
std::vector<std::string> Beyond(const policy::Config& config, const policy::Grant& grant) {
  std::vector<std::string> more = policy::AllowedScopes(config, grant);
  std::erase_if(more, [&](const std::string& name) {
    return std::ranges::find(grant.scopes.names, name) != grant.scopes.names.end();
  });
  return more;
}

// Of the agent, as a card shows them.
std::vector<std::string> AliveTokens(const Outstanding& outstanding, const std::string& agent) {
  constexpr size_t kMost = 5;
  std::vector<std::string> alive;
  for (const LiveToken& token : outstanding.Of(agent).tokens) {
    if (alive.size() == kMost) break;
    alive.push_back(policy::JoinNames(token.scopes, " ") + ": token of entry " +
                    std::to_string(token.seq));
  }
  return alive;
}

}  // namespace

// A person's yes, then the mint. Whoever waits for it is held without a thread.
void Broker::Gate(std::unique_ptr<Pending> pending) {
  auto pass = Approved(*pending);
  if (pass) {
    pending->pass.emplace(std::move(*pass));
    return Mint(std::move(pending));
  }
  Refusal& refusal = pass.error();
  if (refusal.approval && pending->hold_until > ports_.clock.Now()) {
    const Clock::Steady until = std::exchange(pending->hold_until, {});
    const auto kept = std::make_shared<std::unique_ptr<Pending>>(std::move(pending));
    return ports_.approvals->Hold(
        refusal.approval->id, until, [this, kept, waits = refusal]() mutable {
          if ((*kept)->config == config()) return Start(std::move(*kept), &Broker::Gate);
          // What was allowed may be no longer: who asks again is judged by the rules of now.
          if (!(*kept)->waiting->Claim()) return;
          (*kept)->answer(std::unexpected(Denied{std::move(waits), std::nullopt}));
        });
  }
  if (!pending->waiting->Claim()) return;
  if (!refusal.approval) return Deny(std::move(*pending), std::move(refusal));
  // Nothing is decided yet: the approval has its entry.
  pending->answer(std::unexpected(Denied{std::move(refusal), std::nullopt}));
}

std::expected<ApprovalPass, Refusal> Broker::Approved(Pending& pending) {
  if (IsGone(pending.caller)) return Refuse(Reason::kCallerGone);
  if (kills_.IsStopped(pending.caller.agent)) return Refuse(Reason::kKilled);
  if (IsRevoked(pending)) return Refuse(Reason::kCredentialRevoked);
  if (ports_.approvals == nullptr) return Refuse(Reason::kInternal);
  if (!IsReadable(pending.entry.claimed)) return Refuse(Reason::kValueOutOfRange);
  if (auto refusal = VerifyUser(pending)) return std::unexpected(std::move(*refusal));
  const policy::Grant& grant = *pending.grant;
  const bool requester =
      std::ranges::any_of(grant.approval->by, &policy::ApprovalGroups::requester);
  if (requester && pending.entry.user_oid.empty()) {
    return Refuse(Reason::kMissingField,
                  "Send user_assertion: the person whom it proves decides on this request.");
  }
  auto pass = ports_.approvals->Ask({.entry = pending.entry,
                                     .terms = *grant.approval,
                                     .credential = *grant.credential,
                                     .exe = pending.caller.facts.exe_path,
                                     .claims = pending.asked.claims,
                                     .can_also = Beyond(*pending.config, grant),
                                     .max_lifetime = grant.max_lifetime,
                                     .wanted = pending.wanted,
                                     .alive = AliveTokens(outstanding_, pending.caller.agent)});
  if (!pass) return pass;
  // Never a kept token, so that it is one more in the agent's hands.
  if (auto full = budgets_.CheckRoom(*grant.agent, grant.rules)) {
    return std::unexpected(std::move(*full));
  }
  // It counts what is handed out, not how often it was asked whether it may be.
  if (auto over = TakeBudget(pending)) return std::unexpected(std::move(*over));
  return pass;
}

// From then on it is proven who the user is.
std::optional<Refusal> Broker::VerifyUser(Pending& pending) {
  if (!pending.user_assertion) return std::nullopt;
  auto user = ports_.minter.VerifyUser(*pending.config, *pending.grant->credential,
                                       *pending.user_assertion);
  if (!user) return std::move(user.error());
  pending.entry.user_oid = pending.asked.user = pending.key.user = *user;
  return std::nullopt;
}

// Counted before the release: a crash may lose a use, and never makes two of it.
std::optional<Refusal> Broker::TakeUse(Pending& pending) {
  if (!pending.pass) return std::nullopt;
  pending.entry.approval_id = pending.pass->id;
  pending.entry.approval_digest = pending.pass->digest;
  pending.entry.approval_by = pending.pass->by;
  auto refusal = ports_.approvals->Use(*pending.pass);
  pending.pass.reset();
  return refusal;
}

void Broker::Notify(const Pending& pending, uint64_t seq) {
  notices_.Add({.seq = seq,
                .unix_time = UnixSeconds(ports_.clock.WallNow()),
                .agent = pending.caller.agent,
                .rules = pending.entry.policy_rule,
                .credential = pending.entry.credential_name,
                .scopes = pending.entry.scopes});
}

}  // namespace broker
