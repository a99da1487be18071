// What an auditor may see: status, agents, credentials.
#include <utility>

#include "broker/ports/sealed_store.h"
#include "sidecar/broker/admin_service.h"
#include "sidecar/broker/credential_secrets.h"
#include "sidecar/ipc/messages.h"

namespace sidecar::broker_role {
namespace {

using broker::Reason, broker::SecretKind;
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
  const broker::Stops stops = ports_.broker.kills().stops();
  status["stopped"] = {
      {"all", stops.all}, {"agents", stops.agents}, {"file", ports_.broker.kills().held_by_file()}};
  const std::string trouble = ports_.store_trouble();
  status["store"] = {{"usable", trouble.empty()}, {"reason", trouble}};
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
                  {"rules", std::move(rules)}};
    if (const auto left = ports_.broker.RemainingBudget(name)) shown["remaining"] = *left;
    agents.push_back(std::move(shown));
  }
  return json{{"agents", std::move(agents)}};
}

Outcome AdminService::Credentials(const Call& /*call*/) {
  auto stored = ports_.store.List();
  if (!stored) return std::unexpected(RefusalOf(stored.error(), Reason::kStoreUnavailable));
  json credentials = json::array();
  for (const auto& [name, credential] : ports_.broker.config()->credentials) {
    json secrets = json::array();
    for (const SecretKind kind : SecretsOf(credential)) {
      uint64_t version = 0;
      for (const auto& info : *stored) {
        if (info.id == broker::SecretId{name, kind}) version = info.version;
      }
      const bool refresh = kind == SecretKind::kRefreshToken;
      // Whether it is there, the vault knows: looking would be an access to the secret.
      if (!credential.vault.empty()) {
        secrets.push_back({{"enrol_by", "purser login " + name}, {"vault", credential.vault}});
        continue;
      }
      secrets.push_back(
          {{"enrol_by", refresh ? "purser login " + name : "purser secret set " + name},
           {"enrolled", version != 0},
           {"version", version}});
    }
    credentials.push_back({{"name", name},
                           {"kind", credential.kind},
                           {"client_id", credential.client_id},
                           {"scopes", credential.scopes},
                           {"secrets", std::move(secrets)}});
  }
  return json{{"credentials", std::move(credentials)}};
}

}  // namespace sidecar::broker_role
