// GET /metrics: what monitoring wants to know, without a user, a scope or a word of a caller.
#include <nlohmann/json.hpp>

#include "broker/base/unix_time.h"
#include "sidecar/broker/admin_service.h"
#include "sidecar/broker/credential_ends.h"
#include "sidecar/broker/metrics_text.h"

namespace sidecar::broker_role {
namespace {

using broker::Metrics;
using nlohmann::json;

// Each configured name begins at 0: a series that appears with its first event hides that event.
void WriteTokens(const Metrics::Counts& counts, const broker::policy::Config& config,
                 MetricsText* text) {
  text->Family("purser_tokens_issued_total", "counter",
               "Tokens released to agents, from the cache or after waiting for a mint.");
  for (const auto& [agent, configured] : config.agents) {
    const auto found = counts.issued.find(agent);
    const auto issued = found == counts.issued.end() ? std::array<uint64_t, 2>{} : found->second;
    text->Sample({{"agent", agent}, {"source", "cache"}}, issued[0]);
    text->Sample({{"agent", agent}, {"source", "mint"}}, issued[1]);
  }
  text->Family("purser_requests_denied_total", "counter",
               "Requests of agents that were refused, by reason as in the ledger.");
  for (const auto& [key, count] : counts.denied) {
    text->Sample({{"agent", key.first}, {"reason", broker::Describe(key.second).name}}, count);
  }
  text->Family("purser_tokens_minted_total", "counter", "Tokens obtained from Entra.");
  for (const auto& [credential, configured] : config.credentials) {
    const auto found = counts.minted.find(credential);
    text->Sample({{"credential", credential}},
                 found == counts.minted.end() ? uint64_t{0} : found->second);
  }
  text->Family("purser_mint_failures_total", "counter",
               "Attempts to obtain a token that failed, by reason as in the ledger.");
  for (const auto& [key, count] : counts.mint_failures) {
    text->Sample({{"credential", key.first}, {"reason", broker::Describe(key.second).name}}, count);
  }
}

void WriteUpstream(const Metrics::Counts& counts, MetricsText* text) {
  static constexpr std::array<std::string_view, 6> kResults{"error", "1xx", "2xx",
                                                            "3xx",   "4xx", "5xx"};
  text->Family("purser_upstream_requests_total", "counter",
               "Requests to Entra, vaults and metadata services; error: there was no answer.");
  for (const auto& [host, asked] : counts.upstream) {
    for (size_t i = 0; i < kResults.size(); ++i) {
      text->Sample({{"host", host}, {"result", kResults[i]}}, asked.by_status[i]);
    }
  }
  text->Family("purser_upstream_request_duration_seconds", "histogram",
               "From the request to its answer, or to the end of waiting for one.");
  for (const auto& [host, asked] : counts.upstream) text->Sample({{"host", host}}, asked.took);
  text->Family("purser_ledger_append_duration_seconds", "histogram",
               "From handing an entry, of any type, to the ledger's process to its answer.");
  text->Sample({}, counts.ledger_append);
  text->Family("purser_ledger_append_failures_total", "counter",
               "Entries that did not become durable: no token is released without one.");
  text->Sample({}, counts.ledger_append_failures);
}

void WriteLiveTokens(const broker::Outstanding::List& alive, const broker::policy::Config& config,
                     MetricsText* text) {
  std::map<std::string_view, uint64_t> by_agent;
  for (const auto& [agent, configured] : config.agents) by_agent[agent] = 0;
  for (const broker::LiveToken& token : alive.tokens) {
    if (const auto found = by_agent.find(token.agent); found != by_agent.end()) ++found->second;
  }
  text->Family("purser_tokens_outstanding", "gauge",
               "Tokens in agents' hands that are not yet expired, as far as purser knows.");
  for (const auto& [agent, count] : by_agent) text->Sample({{"agent", agent}}, count);
}

// What the supervisor knows of each process. One window for each agent; operators' come and go.
void WriteProcesses(const json& report, int64_t now, MetricsText* text) {
  const auto each = [&](auto&& write) {
    for (const json& role : report.value("roles", json::array())) {
      if (role.contains("admin")) continue;
      const std::string name = role.value("role", ""), agent = role.value("agent", "");
      write(role, MetricsText::Labels{{"role", name}, {"agent", agent}});
    }
  };
  text->Family("purser_role_up", "gauge", "Whether the process runs and is ready.");
  each([&](const json& role, MetricsText::Labels labels) {
    text->Sample(labels, role.value("ready", false));
  });
  text->Family("purser_role_restarts_total", "counter", "How often it was started anew.");
  each([&](const json& role, MetricsText::Labels labels) {
    text->Sample(labels, role.value("restarts", uint64_t{0}));
  });
  text->Family("purser_role_start_time_seconds", "gauge", "When it started (Unix time).");
  each([&](const json& role, MetricsText::Labels labels) {
    if (role.contains("uptime_s")) text->Sample(labels, now - role.value("uptime_s", int64_t{0}));
  });
  text->Family("purser_build_info", "gauge", "Which version runs.");
  text->Sample({{"version", report.value("version", "")}}, uint64_t{1});
}

}  // namespace

void AdminService::WriteState(const Readiness& now, MetricsText* text) {
  const auto config = ports_.broker.config();
  text->Family("purser_ready", "gauge", "Whether tokens can be released.");
  text->Sample({}, now.missing.empty());
  text->Family("purser_degraded", "gauge", "How many things are in trouble that do not stop all.");
  text->Sample({}, static_cast<uint64_t>(now.degraded.size()));
  text->Family("purser_ledger_reachable", "gauge", "Whether the ledger's process answers.");
  text->Sample({}, now.ledger.has_value());
  text->Family("purser_ledger_latched", "gauge", "Whether it stopped writing after a fault.");
  text->Sample({}, now.ledger && now.ledger->latched);
  text->Family("purser_ledger_entries_total", "counter", "Entries since the ledger began.");
  if (now.ledger) text->Sample({}, now.ledger->seq);
  const broker::Stops stops = ports_.broker.kills().stops();
  const bool all = stops.all || ports_.broker.kills().held_by_file();
  text->Family("purser_agent_stopped", "gauge", "Whether an operator has stopped the agent.");
  for (const auto& [agent, configured] : config->agents) {
    text->Sample({{"agent", agent}}, all || stops.agents.contains(agent));
  }
}

void AdminService::WriteApprovals(MetricsText* text) {
  text->Family("purser_approvals_total", "counter",
               "Approvals that were asked for, and how they ended, as the ledger has them.");
  const auto counts = ports_.approval_counts == nullptr
                          ? std::array<uint64_t, ApprovalCounts::kEvents.size()>{}
                          : ports_.approval_counts->counts();
  for (size_t i = 0; i < counts.size(); ++i) {
    text->Sample({{"event", ApprovalCounts::kEvents[i]}}, counts[i]);
  }
  text->Family("purser_approvals_waiting", "gauge", "Approvals that wait for a person.");
  const auto config = ports_.broker.config();
  std::map<std::string_view, uint64_t> waiting;
  for (const auto& [agent, configured] : config->agents) waiting[agent] = 0;
  for (const broker::Approval& approval : ports_.approvals.List()) {
    if (approval.state != broker::ApprovalState::kPending) continue;
    if (const auto found = waiting.find(approval.agent); found != waiting.end()) ++found->second;
  }
  for (const auto& [agent, count] : waiting) text->Sample({{"agent", agent}}, count);
}

void AdminService::WriteCredentials(MetricsText* text) {
  const auto config = ports_.broker.config();
  text->Family("purser_credential_last_token_timestamp_seconds", "gauge",
               "When a token was last obtained with it (Unix time).");
  for (const auto& [name, credential] : config->credentials) {
    if (const auto minted = ports_.uses.Of(name).minted) {
      text->Sample({{"credential", name}}, broker::UnixSeconds(*minted));
    }
  }
  text->Family("purser_credential_expiry_timestamp_seconds", "gauge",
               "When it ends (Unix time), where anybody said so.");
  const auto stored = ports_.store.List();
  if (!stored) return;
  const auto versions = StoredVersions(*stored, *config);
  for (const auto& [name, credential] : config->credentials) {
    const auto version = versions.find(name);
    for (const End& end : EndsOf(credential, ports_.uses.Of(name),
                                 version == versions.end() ? std::string() : version->second)) {
      if (end.at)
        text->Sample({{"credential", name}, {"what", end.what}}, broker::UnixSeconds(*end.at));
    }
  }
}

AdminService::Outcome AdminService::ShowMetrics(const Call& /*call*/) {
  MetricsText text;
  const auto config = ports_.broker.config();
  const Metrics::Counts counts = ports_.metrics.counts();
  WriteState(ports_.readiness(), &text);
  WriteTokens(counts, *config, &text);
  WriteLiveTokens(ports_.broker.outstanding().Of({}), *config, &text);
  WriteApprovals(&text);
  WriteCredentials(&text);
  WriteUpstream(counts, &text);
  const auto report = ports_.ask_supervisor(ipc::MessageType::kStatusQuery, {});
  const json processes = report ? json::parse(*report, nullptr, false) : json();
  if (processes.is_object()) {
    WriteProcesses(processes, broker::UnixSeconds(ports_.minter_ports.clock.WallNow()), &text);
  }
  return std::move(text).Take();
}

}  // namespace sidecar::broker_role
