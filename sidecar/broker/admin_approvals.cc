// What waits for a person, and what the person says. The entries are those of broker/approvals.h.
#include <algorithm>
#include <utility>

#include "broker/base/inert_text.h"
#include "sidecar/broker/admin_service.h"

namespace sidecar::broker_role {
namespace {

using broker::Reason, broker::Refuse;
using nlohmann::json;
using Outcome = AdminService::Outcome;

// A message to the window has 1 MiB at most.
constexpr size_t kMaxShownBytes = size_t{640} << 10;

json AsJson(const broker::Approvals& approvals, const broker::Approval& approval) {
  json votes = json::array();
  for (const auto& vote : approval.votes) votes.push_back(vote.text());
  return {{"id", approval.id},
          {"agent", approval.agent},
          {"state", broker::NameOf(approval.state)},
          {"digest", approval.digest},
          {"shown", json::parse(approval.shown, nullptr, false)},
          {"expires_in", approvals.LeftOf(approval).count()},
          {"ends", approval.ends_unix},
          {"uses_left", approval.uses_left},
          {"votes", std::move(votes)},
          {"quorum", approval.terms.quorum}};
}

}  // namespace

Outcome AdminService::ListApprovals(const Call& /*call*/) {
  json approvals = json::array(), notices = json::array();
  auto all = ports_.approvals.List();
  std::ranges::stable_partition(all, [](const auto& one) { return one.open(); });
  size_t bytes = 0, more = 0;
  for (const auto& approval : all) {
    bytes += approval.shown.size();
    bytes < kMaxShownBytes ? approvals.push_back(AsJson(ports_.approvals, approval))
                           : static_cast<void>(++more);
  }
  for (const broker::Notice& notice : ports_.broker.notices().List()) {
    notices.push_back({{"seq", notice.seq},
                       {"time", notice.unix_time},
                       {"agent", notice.agent},
                       {"rule", notice.rules},
                       {"credential", notice.credential},
                       {"scopes", notice.scopes}});
  }
  return json{{"approvals", std::move(approvals)}, {"more", more}, {"notices", std::move(notices)}};
}

Outcome AdminService::Approve(const Call& call) { return Decided(call, true); }
Outcome AdminService::DenyApproval(const Call& call) { return Decided(call, false); }

Outcome AdminService::Decided(const Call& call, bool yes) {
  const json why = call.body.value("why", json(""));
  if (!call.body["digest"].is_string() || !why.is_string()) return Refuse(Reason::kWrongType);
  if (!broker::IsInertText(why.get_ref<const std::string&>())) {
    return Refuse(Reason::kValueOutOfRange,
                  "why is a text of at most 200 characters without control characters.");
  }
  broker::Approvals::Decision decision{
      .id = call.argument,
      .digest = call.body["digest"].get<std::string>(),
      .person = &call.peer.caller.facts,
      .signed_in = call.person ? &*call.person : nullptr,
      .asker_gids = {},
      .why = why.get<std::string>(),
      .who = EntryOf(call, broker::ledger::EntryType::kApprovalGranted, LedgerOutcome::kSuccess)};
  const auto config = ports_.broker.config();
  if (const auto approval = ports_.approvals.Find(call.argument)) {
    // Else the first one makes the second one, by giving the role.
    const bool standing =
        HoldsByAdmin(config->admin, call.peer.caller.facts, AdminRole::kApprover, call.signed_in());
    if (yes && approval->terms.quorum > 1 && !standing) {
      return Refuse(Reason::kRoleMissing,
                    "Where several are needed, each is an approver by [admin].");
    }
    const auto agent = config->agents.find(approval->agent);
    if (agent != config->agents.end() && agent->second.selectors.gid) {
      decision.asker_gids.push_back(*agent->second.selectors.gid);
    }
  }
  const auto decided = yes ? ports_.approvals.Approve(decision) : ports_.approvals.Deny(decision);
  if (!decided) return std::unexpected(decided.error());
  return AsJson(ports_.approvals, *decided);
}

}  // namespace sidecar::broker_role
