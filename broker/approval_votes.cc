// Approvals: what people say, and how it is recorded.
#include <utility>

#include "broker/approval_rules.h"
#include "broker/approvals.h"
#include "broker/base/unix_time.h"
#include "broker/credential_access.h"

namespace broker {
namespace {

using ledger::Entry, ledger::EntryType, ledger::Outcome;
using std::chrono::seconds;

Refusal NotOpen(const Approval& approval) {
  return {Reason::kConflict,
          "It is " + std::string(NameOf(approval.state)) + " already; look again.",
          {},
          {}};
}

}  // namespace

// Why this person does not decide this; else the approval as it stands.
std::expected<Approval, Refusal> Approvals::Votable(const Decision& decision, bool yes) {
  const std::scoped_lock lock(mutex_);
  const auto found = approvals_.find(decision.id);
  if (found == approvals_.end() || found->second.agent.empty()) {
    return Refuse(Reason::kNotFound, "There is no such approval; `purser approvals` lists them.");
  }
  EndIfOver(found->second, ports_.clock.Now());
  Approval approval = found->second;
  const bool open = yes ? approval.state == ApprovalState::kPending : approval.open();
  if (!open) return std::unexpected(NotOpen(approval));
  if (approval.digest != decision.digest) {
    return Refuse(Reason::kConflict, "It is not what was shown to you; look again.");
  }
  const auto votes = approval.votes;
  if (!yes) approval.votes.clear();  // who said yes may say no after all
  if (auto refusal =
          CheckVoter(approval, {decision.person, decision.signed_in}, decision.asker_gids)) {
    return std::unexpected(std::move(*refusal));
  }
  approval.votes = votes;
  return approval;
}

Entry Approvals::EntryOf(const Approval& approval, EntryType type) const {
  Entry entry = approval.about;
  entry.type = type;
  entry.outcome = Outcome::kSuccess;
  entry.reason.clear();
  entry.approval_id = approval.id;
  entry.approval_digest = approval.digest;
  entry.approval_by = VotersOf(approval);
  return entry;
}

std::expected<Approval, Refusal> Approvals::Decide(const Decision& decision, bool yes) {
  auto decided = DecideInTurn(decision, yes);
  if (decided) ResumeReady();
  return decided;
}

std::expected<Approval, Refusal> Approvals::DecideInTurn(const Decision& decision, bool yes) {
  const std::scoped_lock turn(turn_);
  Settle();
  auto checked = Votable(decision, yes);
  if (!checked) return checked;
  Approval approval = std::move(*checked);
  approval.votes.push_back(VoteOf({decision.person, decision.signed_in}));
  const bool decided = !yes || approval.votes.size() >= approval.terms.quorum;
  if (decided) {
    const Clock::Steady now = ports_.clock.Now();
    approval.state = yes ? ApprovalState::kGranted : ApprovalState::kDenied;
    const seconds more = yes ? approval.terms.within : seconds(0);
    approval.uses_left = yes ? approval.terms.uses : 0;
    approval.ends = now + more;
    approval.ends_unix = UnixSeconds(ports_.clock.WallNow()) + more.count();
  }
  Entry entry = EntryOf(approval, yes ? EntryType::kApprovalGranted : EntryType::kApprovalDenied);
  entry.caller = decision.who.caller;
  entry.request_id = decision.who.request_id;
  entry.policy_sha256 = decision.who.policy_sha256;
  entry.outcome = decided ? (yes ? Outcome::kSuccess : Outcome::kFailure) : Outcome::kPending;
  if (!yes) {
    entry.approval_by = approval.votes.back().text();
    entry.reason = Describe(Reason::kApprovalDenied).name;
  }
  entry.change = {{"how", decision.how}, {"why", decision.why}};
  if (!decision.message.empty()) entry.change["message"] = decision.message;
  // Nothing else in the entry says who it was.
  if (decision.person == nullptr) entry.user_oid = decision.signed_in->oid;
  if (yes) {
    entry.change["votes"] = static_cast<int64_t>(approval.votes.size());
    entry.change["quorum"] = approval.terms.quorum;
  }
  const auto receipt = ports_.ledger.Append(entry);
  if (!receipt) return std::unexpected(LedgerRefusal(receipt.error()));
  return Put(std::move(approval));
}

}  // namespace broker
