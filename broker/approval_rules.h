// broker/approval_rules.h: who may decide, and how often may be asked. Pure.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/approval.h"
#include "broker/policy/facts.h"
#include "broker/policy/person.h"
#include "broker/reason.h"

namespace broker {

using ApprovalsById = std::map<std::string, Approval>;

/// A person at the operator's socket, or one whom only the tenant has proven. Borrows both for the
/// call. REQUIRES: not neither.
struct Voter {
  const policy::Facts* facts = nullptr;       // none: not at this machine
  const policy::Person* signed_in = nullptr;  // nobody: only the kernel says who it is
};

/// Who it is, by all that is known: what the approval, its entry and its row name.
ApprovalVote VoteOf(const Voter& voter);
/// All who said yes, as the ledger has it: "uid:2001 uid:0,loginuid:2002".
std::string VotersOf(const Approval& approval);

/// Why this person may not decide on it: kOwnRequest (the asker's own user, by itself or behind
/// sudo, whoever started the process that asks, or one in a group of `asker_gids`, by which the
/// agent is known; the person in whose name it is asked, unless the rule wants just that one; who
/// is not at this machine, where a person's login started the process: it could be theirs),
/// kRoleMissing (the rule names neither them nor a group of theirs), kConflict (may have said yes
/// already: ApprovalVote::MayBe).
std::optional<Refusal> CheckVoter(const Approval& approval, const Voter& voter,
                                  const std::vector<uint32_t>& asker_gids);

/// How long the agent must wait before it may open another one; zero or less: not at all.
Clock::Steady::duration PauseBefore(const ApprovalsById& approvals, const std::string& agent,
                                    Clock::Steady now);

/// The one that ended first, before `before`, if any. Those that are to be recorded stay.
std::optional<std::string> OldestEnded(const ApprovalsById& approvals, Clock::Steady before);

/// What else the agent asked for since then, newest first, and which of its tokens still work.
std::vector<std::string> LatelyOf(const ApprovalsById& approvals, const ApprovalAsk& ask,
                                  Clock::Steady since);

}  // namespace broker
