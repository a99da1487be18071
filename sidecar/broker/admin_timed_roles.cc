// Who holds which role now, and roles that are given for a time.
#include <array>
#include <cstdint>
#include <utility>

#include "broker/base/ascii.h"
#include "broker/base/inert_text.h"
#include "broker/policy/config_values.h"
#include "broker/policy/selectors.h"
#include "sidecar/broker/admin_service.h"

namespace sidecar::broker_role {
namespace {

using broker::Reason, broker::Refusal, broker::Refuse;
using broker::ledger::EntryType;
using nlohmann::json;
using Outcome = AdminService::Outcome;

constexpr std::array kRoles = {AdminRole::kOperator, AdminRole::kApprover, AdminRole::kAuditor};

// Root and the user of purserd, then who is configured, as it is written.
json Standing(const broker::policy::Admin& admin) {
  json rows = json::array();
  const auto add = [&](AdminRole role, const char* by, const std::string& holder) {
    rows.push_back({{"role", NameOf(role)}, {"by", by}, {"holder", holder}});
  };
  for (const AdminRole role : kRoles) {
    add(role, "machine", "uid:0");
    if (admin.owner_uid != 0) add(role, "machine", RoleHolder{admin.owner_uid}.text());
    const auto& written = role == AdminRole::kOperator   ? admin.operators
                          : role == AdminRole::kApprover ? admin.approvers
                                                         : admin.auditors;
    for (const std::string& holder : written) {
      add(role, holder.starts_with("group:") ? "group" : "entra", holder);
    }
  }
  return rows;
}

json AsJson(const TimedRole& one) {
  return {{"role", NameOf(one.role)}, {"by", "time"},   {"holder", one.holder.text()},
          {"until", one.ends_unix},   {"why", one.why}, {"given_by", one.giver.text()}};
}

bool IsWhy(const json& why, bool may_be_empty) {
  if (!why.is_string()) return false;
  const auto& text = why.get_ref<const std::string&>();
  return (may_be_empty || !text.empty()) && broker::IsInertText(text);
}

// Whom and what the body names, and why.
std::expected<TimedRole, Refusal> ReadRole(const json& body, bool needs_why) {
  TimedRole one;
  if (body.contains("uid") == body.contains("oid")) {
    return Refuse(Reason::kMissingField, "Send uid, a number, or oid, a GUID.");
  }
  if (body.contains("uid")) {
    const json& uid = body["uid"];
    if (!uid.is_number_unsigned() || uid.get<uint64_t>() > UINT32_MAX) {
      return Refuse(Reason::kWrongType, "uid is a user's number.");
    }
    one.holder.uid = uid.get<uint32_t>();
  } else {
    const json& oid = body["oid"];
    if (!oid.is_string() || !broker::policy::IsGuid(oid.get<std::string>())) {
      return Refuse(Reason::kWrongType, "oid is a person's object id, a GUID.");
    }
    one.holder.oid = broker::Lowered(oid.get<std::string>());
  }
  const json& role = body.at("role");
  const auto found = FindRole(role.is_string() ? role.get<std::string>() : std::string());
  if (!found) return Refuse(Reason::kValueOutOfRange, "role is operator, approver or auditor.");
  one.role = *found;
  const json why = body.value("why", json(""));
  if (!IsWhy(why, !needs_why)) {
    return Refuse(Reason::kValueOutOfRange,
                  "why is a text of at most 200 characters without control characters.");
  }
  one.why = why.get<std::string>();
  return one;
}

}  // namespace

Outcome AdminService::ShowRoles(const Call& call) {
  const auto config = ports_.broker.config();
  json rows = Standing(config->admin), yours = json::array();
  for (const TimedRole& one : ports_.timed_roles.List(*config)) rows.push_back(AsJson(one));
  for (const AdminRole role : kRoles) {
    const bool held =
        Holds(config->admin, call.peer.caller.facts, role, call.signed_in(), call.given);
    if (held) yours.push_back(NameOf(role));
  }
  json signed_in = json::array();
  for (const People::SignedIn& one : people_.List(*config)) {
    signed_in.push_back(
        {{"oid", one.oid}, {"user", RoleHolder{one.uid}.text()}, {"expires_in", one.left.count()}});
  }
  return json{
      {"roles", std::move(rows)}, {"signed_in", std::move(signed_in)}, {"yours", std::move(yours)}};
}

Outcome AdminService::GiveRole(const Call& call) {
  const auto config = ports_.broker.config();
  auto one = ReadRole(call.body, /*needs_why=*/true);
  if (!one) return std::unexpected(one.error());
  const json& lasts = call.body.at("seconds");
  if (!lasts.is_number_unsigned() ||
      lasts.get<uint64_t>() > static_cast<uint64_t>(TimedRoles::kLongest.count())) {
    return Refuse(Reason::kValueOutOfRange, "It lasts from a minute to 24 hours.");
  }
  one->lasts = std::chrono::seconds(lasts.get<int64_t>());
  const auto& facts = call.peer.caller.facts;
  one->giver = {facts.uid, facts.loginuid, call.person ? call.person->oid : std::string()};
  const bool user = one->holder.oid.empty();
  // Who runs purser need not be who may say yes; nor makes he those who may.
  if (!HoldsByAdmin(config->admin, facts, one->role, call.signed_in())) {
    return Refuse(Reason::kRoleMissing, "Nobody gives a role that is not theirs by [admin].");
  }
  const auto seq = ports_.timed_roles.Give(
      *config, *one, EntryOf(call, EntryType::kRoleGranted, LedgerOutcome::kSuccess));
  if (!seq) return std::unexpected(seq.error());
  json body = {{"given", NameOf(one->role)},
               {"to", one->holder.text()},
               {"expires_in", one->lasts.count()},
               {"seq", *seq}};
  if (user && !broker::policy::OpenToSignIn(config->admin)) {
    body["note"] = "Only members of a group of [admin] can connect to the operator's socket.";
  }
  return body;
}

Outcome AdminService::EndRole(const Call& call) {
  const auto config = ports_.broker.config();
  const auto one = ReadRole(call.body, /*needs_why=*/false);
  if (!one) return std::unexpected(one.error());
  const auto ended =
      ports_.timed_roles.End(*config, one->holder, one->role,
                             EntryOf(call, EntryType::kRoleEnded, LedgerOutcome::kSuccess));
  if (!ended) return std::unexpected(ended.error());
  json body = {{"ended", NameOf(one->role)},
               {"of", one->holder.text()},
               {"recorded", ended->seq.has_value()},
               {"kept", ended->kept}};
  if (ended->seq) body["seq"] = *ended->seq;
  return body;
}

}  // namespace sidecar::broker_role
