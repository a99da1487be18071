// What an auditor may see: status, agents.
#include <utility>

#include "sidecar/broker/admin_service.h"
#include "sidecar/broker/credential_ends.h"
#include "sidecar/ipc/messages.h"

namespace sidecar::broker_role {
namespace {

using nlohmann::json;
using Outcome = AdminService::Outcome;

json LimitAsJson(const broker::policy::Limit& limit) {
  return {{"count", limit.count}, {"per_seconds", limit.per.count()}};
}

}  // namespace

Outcome AdminService::Status(const Call& /*call*/) {
  const auto config = ports_.broker.config();
  const Readiness now = ports_.readiness();
  json status = {{"instance", config->instance.name},
                 {"tenant", config->tenant.id},
                 {"policy_sha256", config->sha256},
                 {"ready", now.missing.empty()},
                 {"missing", now.missing},
                 {"degraded", now.explained},
                 {"hardening", config->hardening.strict ? "strict" : "weak"},
                 {"allow_same_uid", config->hardening.allow_same_uid}};
  if (const auto ledger = ports_.ledger_state()) {
    status["ledger"] = {{"reachable", true},
                        {"latched", ledger->latched},
                        {"reason", ledger->latch_reason},
                        {"seq", ledger->seq},
                        {"leaf", ledger->leaf_hex}};
  } else {
    status["ledger"] = {{"reachable", false}, {"reason", ledger.error().detail}};
  }
  json rotations = json::array();
  for (const broker::RotationView& view : ports_.rotations.All()) {
    if (!IsQuiet(view)) rotations.push_back(AsJson(view));
  }
  status["rotations"] = std::move(rotations);
  const broker::Stops stops = ports_.broker.kills().stops();
  status["stopped"] = {
      {"all", stops.all}, {"agents", stops.agents}, {"file", ports_.broker.kills().held_by_file()}};
  const std::string trouble = ports_.store_trouble();
  status["store"] = {{"usable", trouble.empty()}, {"reason", trouble}};
  // A sealed store tells no versions: what is known of the secrets in it waits as well.
  if (const auto stored = ports_.store.List()) {
    status["ending"] = EndingSoon(*config, ports_.uses, StoredVersions(*stored, *config),
                                  ports_.minter_ports.clock.WallNow());
  }
  const auto report = ports_.ask_supervisor(ipc::MessageType::kStatusQuery, {});
  if (report) status["processes"] = json::parse(*report, nullptr, false);
  if (!report) status["processes"] = {{"error", report.error().detail}};
  return status;
}

Outcome AdminService::Ready(const Call& /*call*/) {
  const Readiness now = ports_.readiness();
  return json{
      {"ready", now.missing.empty()}, {"missing", now.missing}, {"degraded", now.explained}};
}

Outcome AdminService::Agents(const Call& /*call*/) {
  json agents = json::array();
  for (const auto& [name, agent] : ports_.broker.config()->agents) {
    json rules = json::array();
    for (const auto& rule : agent.rules) {
      rules.push_back({{"name", rule.name},
                       {"scopes", rule.scopes},
                       {"credential", rule.credential},
                       {"deliver", rule.deliver},
                       {"decision", rule.decision}});
    }
    json shown = {{"name", name},
                  {"user", agent.selectors.user},
                  {"group", agent.selectors.group},
                  {"limit", LimitAsJson(agent.limit)},
                  {"stopped", ports_.broker.kills().IsStopped(name)},
                  {"rules", std::move(rules)}};
    if (const auto left = ports_.broker.RemainingBudget(name)) shown["remaining"] = *left;
    agents.push_back(std::move(shown));
  }
  return json{{"agents", std::move(agents)}};
}

}  // namespace sidecar::broker_role
