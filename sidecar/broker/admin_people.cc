// Who signs in and out on the operator's socket.
#include <utility>

#include "broker/base/ascii.h"
#include "broker/policy/config_values.h"
#include "sidecar/broker/admin_service.h"
#include "sidecar/broker/admin_why.h"
#include "sidecar/broker/device_answer.h"

namespace sidecar::broker_role {

using broker::Reason, broker::Refusal, broker::Refuse;
using broker::ledger::Entry, broker::ledger::EntryType;
using nlohmann::json;
using Outcome = AdminService::Outcome;

namespace {

json RolesOf(const broker::policy::Admin& admin, const broker::policy::Facts& facts,
             const broker::policy::Person& person, const GivenRoles& given) {
  json roles = json::array();
  for (const AdminRole role : {AdminRole::kOperator, AdminRole::kApprover, AdminRole::kAuditor}) {
    if (Holds(admin, facts, role, &person, given)) roles.push_back(NameOf(role));
  }
  return roles;
}

// The person whom the body names; nobody's id for everybody.
std::expected<std::string, Refusal> ReadWhom(const json& body) {
  const bool has_oid = body.contains("oid");
  if (has_oid == body.contains("all")) {
    return Refuse(Reason::kMissingField, R"(Send {"oid":"GUID"} or {"all":true}.)");
  }
  if (!has_oid && body["all"] != json(true)) return Refuse(Reason::kWrongType, "all is true.");
  if (const auto why = WhyOf(body); !why) return std::unexpected(why.error());
  if (!has_oid) return std::string();
  const json& oid = body["oid"];
  if (!oid.is_string() || !broker::policy::IsGuid(oid.get_ref<const std::string&>())) {
    return Refuse(Reason::kWrongType, "oid is a person's object id, a GUID.");
  }
  return broker::Lowered(oid.get<std::string>());
}

}  // namespace

Outcome AdminService::StartSignIn(const Call& call) {
  // What is refused is admin.denied, which the ledger counts when it is many: whoever may connect
  // asks for it. Those that begin are few (People).
  const auto begun = people_.Start(*ports_.broker.config(), call.peer.caller.facts);
  if (!begun) return std::unexpected(begun.error());
  if (!Record(call, EntryType::kAdminAction, LedgerOutcome::kSuccess, {})) {
    return Refuse(Reason::kLedgerUnavailable);
  }
  return DeviceAnswer(begun->id, begun->prompt);
}

Outcome AdminService::PollSignIn(const Call& call) {
  const auto config = ports_.broker.config();
  const auto& facts = call.peer.caller.facts;
  Entry entry = EntryOf(call, EntryType::kAdminSignedIn, LedgerOutcome::kFailure);
  entry.target_id = "POST /v1/sign-ins";  // without the id, by which it is polled
  entry.user_oid.clear();                 // of a session from before
  const auto fail = [&](Refusal refusal) {
    entry.outcome = LedgerOutcome::kFailure;
    if (refusal.reason == Reason::kNotFound) entry.type = EntryType::kAdminDenied;  // nobody's
    entry.reason = broker::Describe(refusal.reason).name;
    [[maybe_unused]] const auto noted = ports_.minter_ports.ledger.Append(entry);
    return std::unexpected(std::move(refusal));
  };
  auto state = people_.Poll(*config, facts, call.argument);
  if (!state) return fail(std::move(state.error()));
  if (!state->person) return json{{"done", false}, {"interval", state->interval.count()}};
  entry.user_oid = state->person->oid;
  if (state->groups_left_out) {
    return fail({Reason::kRoleMissing,
                 "Entra left your groups out of the token, for they are too many: have the "
                 "registration of [admin] client_id send only groups assigned to the application.",
                 {},
                 {}});
  }
  entry.outcome = LedgerOutcome::kSuccess;
  const auto receipt = ports_.minter_ports.ledger.Append(entry);
  if (!receipt) return std::unexpected(RefusalOf(receipt.error(), Reason::kLedgerUnavailable));
  const GivenRoles given = ports_.timed_roles.Of(*config, facts, &*state->person);
  json answer = {{"done", true},
                 {"oid", state->person->oid},
                 {"roles", RolesOf(config->admin, facts, *state->person, given)},
                 {"expires_in", config->admin.session.count()}};
  const auto session = people_.Open(*config, facts, std::move(*state));
  if (!session) return fail(session.error());
  answer["session"] = std::string(session->Expose(broker::Exit::kHandToCaller));
  return answer;
}

Outcome AdminService::SignOut(const Call& call) {
  const auto config = ports_.broker.config();
  if (!people_.End(*config, call.peer.caller.facts, call.request.session)) {
    return Refuse(Reason::kNotFound, "Nobody is signed in by what was sent.");
  }
  [[maybe_unused]] const bool noted =
      Record(call, EntryType::kAdminAction, LedgerOutcome::kSuccess, {});
  return json{{"signed_out", true}};
}

// At once, whatever the ledger says: who has left has no role, recorded or not.
Outcome AdminService::SignOutOthers(const Call& call) {
  const auto oid = ReadWhom(call.body);
  if (!oid) return std::unexpected(oid.error());
  const size_t ended = people_.EndAll(*oid);
  Entry entry = EntryOf(call, EntryType::kAdminAction, LedgerOutcome::kSuccess);
  entry.change["signed_out"] = static_cast<int64_t>(ended);
  if (!oid->empty()) entry.change["holder"] = "oid:" + *oid;
  const auto receipt = ports_.minter_ports.ledger.Append(entry);
  json body = {{"signed_out", ended}, {"recorded", receipt.has_value()}};
  if (receipt) body["seq"] = receipt->seq;
  return body;
}

}  // namespace sidecar::broker_role
