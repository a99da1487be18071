// Stopping agents, by kill or revoke, and letting them go on. A stop works before it is recorded, a
// release after.
#include <utility>

#include "broker/policy/nearest.h"
#include "sidecar/broker/admin_alive.h"
#include "sidecar/broker/admin_service.h"
#include "sidecar/broker/admin_why.h"
#include "sidecar/ipc/control.h"

namespace sidecar::broker_role {
namespace {

using broker::Reason, broker::Refuse, broker::SecondPerson;
using broker::ledger::Entry, broker::ledger::EntryType;
using nlohmann::json;
using Outcome = AdminService::Outcome;
using LedgerOutcome = AdminService::LedgerOutcome;

struct Request {
  std::string agent;  // empty: all
  std::string why;
};

std::expected<Request, broker::Refusal> Parse(const json& body) {
  const bool has_agent = body.contains("agent");
  const bool has_all = body.contains("all");
  if (has_agent == has_all) {
    return Refuse(Reason::kMissingField, R"(Send {"agent":"NAME"} or {"all":true}.)");
  }
  if (has_all && body["all"] != json(true)) return Refuse(Reason::kWrongType, "all is true.");
  Request request;
  if (has_agent) {
    if (!body["agent"].is_string()) return Refuse(Reason::kWrongType);
    request.agent = body["agent"].get<std::string>();
    if (request.agent.empty()) return Refuse(Reason::kMissingField, "Name an agent.");
  }
  auto why = WhyOf(body);
  if (!why) return std::unexpected(std::move(why.error()));
  request.why = std::move(*why);
  return request;
}

// Who is behind sudo where the kernel knows; so that nobody is two by it.
SecondPerson::Who WhoAsks(const broker::policy::Facts& facts,
                          const std::optional<broker::policy::Person>& person) {
  return {facts.loginuid.value_or(facts.uid), facts.uid, person ? person->oid : std::string()};
}

// Whether this very stop is there: one by name, or one of all.
bool Stands(const broker::Stops& stops, const std::string& agent) {
  return agent.empty() ? stops.all : stops.agents.contains(agent);
}

}  // namespace

Outcome AdminService::Kill(const Call& call) {
  const auto request = Parse(call.body);
  if (!request) return std::unexpected(request.error());
  const auto config = ports_.broker.config();
  if (!request->agent.empty() && !config->agents.contains(request->agent)) {
    const std::string meant =
        broker::policy::DidYouMean(request->agent, broker::policy::NamesOf(config->agents));
    return Refuse(Reason::kNotFound, "The configuration has no agent of that name" +
                                         (meant.empty() ? std::string() : ": " + meant) +
                                         ". Nobody was stopped.");
  }
  ports_.broker.Stop(request->agent);
  Entry entry = EntryOf(call, EntryType::kKillEngaged, LedgerOutcome::kSuccess);
  entry.agent = request->agent;
  if (!request->why.empty()) entry.change["why"] = request->why;
  const auto receipt = ports_.minter_ports.ledger.Append(entry);
  json body = {{"stopped", request->agent.empty() ? json(true) : json(request->agent)},
               {"recorded", receipt.has_value()}};
  if (receipt) body["seq"] = receipt->seq;
  if (!receipt) body["why_not_recorded"] = receipt.error().detail;
  AddAlive(ports_.broker.outstanding().Of(request->agent), &body);
  return body;
}

// Where nobody releases alone, the first one's entry becomes that of a proposal. `what` and
// `version`: SecondPerson's.
std::optional<broker::Refusal> AdminService::AskSecondPerson(const Call& call,
                                                             const std::string& what,
                                                             uint64_t version, Entry* entry) {
  const auto config = ports_.broker.config();
  if (!config->admin.two_person_release) return std::nullopt;
  // Else the first one makes the second one, by giving the role.
  if (!HoldsByAdmin(config->admin, call.peer.caller.facts, AdminRole::kOperator,
                    call.signed_in())) {
    return broker::Refusal{
        Reason::kRoleMissing, "Where two are needed, both are operators by [admin].", {}, {}};
  }
  const auto asked =
      second_person_.Ask(what, version, WhoAsks(call.peer.caller.facts, call.person));
  if (asked.step == SecondPerson::Step::kSamePerson) {
    return broker::Refusal{
        Reason::kConflict, "You proposed it: another operator confirms it.", {}, {}};
  }
  if (asked.step == SecondPerson::Step::kProposed) {
    entry->type = EntryType::kAdminAction;
    entry->outcome = LedgerOutcome::kPending;
  } else {
    entry->change["proposed_by"] = static_cast<int64_t>(asked.proposed_by.person);
    if (const auto& oid = asked.proposed_by.oid; !oid.empty()) {
      entry->change["proposed_by_oid"] = oid;
    }
  }
  return std::nullopt;
}

json AdminService::Proposed(uint64_t seq) {
  return json{{"proposed", true},
              {"seq", seq},
              {"expires_in", std::chrono::seconds(SecondPerson::kPatience).count()}};
}

Outcome AdminService::Release(const Call& call) {
  if (call.body.contains("credential")) return ReleaseCredential(call);
  const auto request = Parse(call.body);
  if (!request) return std::unexpected(request.error());
  const Teardown::Gate gate(teardown_, SupervisorOfTeardown());
  if (gate.refusal()) return std::unexpected(*gate.refusal());
  broker::KillSwitch& kills = ports_.broker.kills();
  const uint64_t seen = kills.engagements();
  if (kills.held_by_file()) {
    return Refuse(
        Reason::kConflict,
        "The file " + std::string(ipc::kStopFile) +
            " in purser's state folder stops all agents: remove it first; purser looks for "
            "it once a second.");
  }
  if (!Stands(kills.stops(), request->agent)) {
    return Refuse(Reason::kConflict, request->agent.empty()
                                         ? "There is no stop of all agents. Agents that were "
                                           "stopped by name are released by name."
                                         : "No agent is stopped by that name; `purser status` "
                                           "lists the stops.");
  }
  Entry entry = EntryOf(call, EntryType::kKillReleased, LedgerOutcome::kSuccess);
  entry.agent = request->agent;
  entry.change["why"] = request->why;
  const auto alone = AskSecondPerson(call, "agent " + request->agent, seen, &entry);
  if (alone) return std::unexpected(*alone);
  const auto receipt = ports_.minter_ports.ledger.Append(entry);
  if (!receipt) return std::unexpected(RefusalOf(receipt.error(), Reason::kLedgerUnavailable));
  if (entry.outcome == LedgerOutcome::kPending) return Proposed(receipt->seq);
  kills.Release(request->agent, seen);
  const broker::Stops left = kills.stops();
  return json{{"released", request->agent.empty() ? json(true) : json(request->agent)},
              {"seq", receipt->seq},
              {"still_stopped", {{"all", left.all}, {"agents", left.agents}}}};
}

}  // namespace sidecar::broker_role
