#include "broker/approval_rules.h"

#include <algorithm>

#include "broker/approvals.h"
#include "broker/base/ascii.h"
#include "broker/policy/entra_people.h"
#include "broker/policy/groups.h"
#include "broker/policy/scopes.h"

namespace broker {
namespace {

using Duration = Clock::Steady::duration;

constexpr size_t kMaxLately = 5;  // what is read at a glance

// Whoever runs the agent. Of who is not at this machine nothing says which users here are theirs.
bool IsAsker(const Approval& approval, const Voter& voter,
             const std::vector<uint32_t>& asker_gids) {
  if (voter.facts == nullptr) return approval.asker_loginuid.has_value();
  const ApprovalVote asker{approval.asker_uid, approval.asker_loginuid};
  return voter.facts->uid == approval.asker_uid || VoteOf(voter).MayBe(asker) ||
         IsInAny(*voter.facts, asker_gids);
}

// The person for whom the agent asks, as Entra has proven both.
bool IsRequester(const Approval& approval, const Voter& voter) {
  const std::string& user = approval.about.user_oid;
  return voter.signed_in != nullptr && !user.empty() &&
         SameIgnoringCase(user, voter.signed_in->oid);
}

std::vector<const Approval*> OfAgent(const ApprovalsById& approvals, const std::string& agent,
                                     Clock::Steady since) {
  std::vector<const Approval*> own;
  for (const auto& [id, one] : approvals) {
    if (one.agent == agent && (one.open() || one.asked >= since)) own.push_back(&one);
  }
  std::ranges::sort(own, [](const Approval* a, const Approval* b) { return a->asked > b->asked; });
  return own;
}

}  // namespace

ApprovalVote VoteOf(const Voter& voter) {
  ApprovalVote vote;
  if (voter.facts != nullptr) vote = {voter.facts->uid, voter.facts->loginuid};
  if (voter.signed_in != nullptr) vote.oid = voter.signed_in->oid;
  return vote;
}

std::string VotersOf(const Approval& approval) {
  std::string text;
  for (const ApprovalVote& vote : approval.votes) text += (text.empty() ? "" : " ") + vote.text();
  return text;
}

std::optional<Refusal> CheckVoter(const Approval& approval, const Voter& voter,
                                  const std::vector<uint32_t>& asker_gids) {
  const ApprovalVote vote = VoteOf(voter);
  const bool own = IsAsker(approval, voter, asker_gids);
  const bool requester = IsRequester(approval, voter);
  const bool wanted = std::ranges::any_of(approval.terms.by, &policy::ApprovalGroups::requester);
  // Whoever runs the agent never decides; for whom it runs, only where the rule asks for just them.
  if (own || (requester && !wanted)) return Refusal{Reason::kOwnRequest, {}, {}, {}};
  for (const auto& one : approval.terms.by) {
    if (voter.facts != nullptr && IsInAny(*voter.facts, one.gids)) continue;
    if (requester && one.requester) continue;
    if (voter.signed_in != nullptr && Includes(one.entra, *voter.signed_in)) continue;
    return Refusal{Reason::kRoleMissing, "The rule says whose approval it needs.", {}, {}};
  }
  const auto same = [&](const ApprovalVote& one) { return one.MayBe(vote); };
  if (std::ranges::any_of(approval.votes, same)) {
    return Refusal{Reason::kConflict, "You have approved it; another person must, too.", {}, {}};
  }
  return std::nullopt;
}

Duration PauseBefore(const ApprovalsById& approvals, const std::string& agent, Clock::Steady now) {
  const auto own = OfAgent(approvals, agent, now - std::chrono::hours(1));
  const auto open = std::ranges::count_if(own, [](const Approval* one) { return one->open(); });
  Duration wait = Duration::zero();
  if (static_cast<size_t>(open) >= Approvals::kMaxOpenPerAgent) wait = Approvals::kFirstPause;
  if (own.size() >= Approvals::kMaxPerHour) {
    const Approval& earliest = *own[Approvals::kMaxPerHour - 1];
    wait = std::max(wait, earliest.asked + std::chrono::hours(1) - now);
  }
  Duration pause = Approvals::kFirstPause;
  std::optional<Clock::Steady> ended;
  for (const Approval* one : own) {
    if (one->state == ApprovalState::kPending) continue;
    const bool granted = one->state == ApprovalState::kGranted ||
                         one->state == ApprovalState::kUsed || !one->votes.empty();
    if (granted && one->state != ApprovalState::kDenied) break;
    if (one->state == ApprovalState::kKilled) continue;
    if (ended) pause = std::min<Duration>(2 * pause, Approvals::kLongestPause);
    ended = std::max(ended.value_or(one->ends), one->ends);
  }
  return ended ? std::max(wait, *ended + pause - now) : wait;
}

std::optional<std::string> OldestEnded(const ApprovalsById& approvals, Clock::Steady before) {
  const Approval* oldest = nullptr;
  for (const auto& [id, one] : approvals) {
    if (one.open() || one.unwritten || one.reserved > 0 || one.ends > before) continue;
    const bool denied = one.state == ApprovalState::kDenied;
    const bool other_denied = oldest != nullptr && oldest->state == ApprovalState::kDenied;
    const bool better = oldest == nullptr || (other_denied && !denied) ||
                        (other_denied == denied && one.ends < oldest->ends);
    if (better) oldest = &one;
  }
  return oldest == nullptr ? std::nullopt : std::optional(oldest->id);
}

std::vector<std::string> LatelyOf(const ApprovalsById& approvals, const ApprovalAsk& ask,
                                  Clock::Steady since) {
  std::vector<std::string> lately;
  for (const Approval* one : OfAgent(approvals, ask.entry.agent, since)) {
    if (lately.size() == kMaxLately) return lately;
    lately.push_back(policy::JoinNames(one->about.scopes, " ") + ": " +
                     std::string(NameOf(one->state)));
  }
  for (const std::string& token : ask.alive) {
    if (lately.size() == kMaxLately) return lately;
    lately.push_back(token);
  }
  return lately;
}

}  // namespace broker
