#include "broker/policy/diff.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "broker/policy/config_values.h"

namespace broker::policy {
namespace {

using Lines = std::set<std::string>;

std::string Allowance(const Limit& limit) {
  return limit.count == 0 ? "without limit" : "at most " + Format(limit);
}

// More of it under each heading.
std::string Bounds(const Limit& per_task, uint32_t concurrent) {
  std::string text;
  if (per_task.count > 0) text += ", " + Format(per_task) + " for each task";
  if (concurrent > 0) text += ", " + std::to_string(concurrent) + " alive at a time";
  return text;
}

// Which app registration and user a credential's tokens are for.
std::string Identity(const Config& config, const std::string& name) {
  const auto found = config.credentials.find(name);
  if (found == config.credentials.end()) return name;
  const Credential& credential = found->second;
  return name + " (" + credential.kind + ", client " + credential.client_id +
         (credential.user.empty() ? "" : ", user " + credential.user) + ")";
}

std::string Known(const Selectors& by) {
  std::string text;
  const auto add = [&](const char* what, const std::string& value) {
    if (!value.empty()) text += (text.empty() ? "" : ", ") + std::string(what) + " " + value;
  };
  // Names may mean another number tomorrow: that is a change of rights too.
  add("user", by.uid ? by.user + " [" + std::to_string(*by.uid) + "]" : by.user);
  add("group", by.gid ? by.group + " [" + std::to_string(*by.gid) + "]" : by.group);
  add("cgroup", by.cgroup);
  add("systemd_unit", by.systemd_unit);
  add("exe", by.exe);
  add("exe_sha256", by.exe_sha256);
  return text;
}

// What stands between the rule and a token.
std::string Condition(const Rule& rule) {
  if (rule.decision == "notify") return ", and whoever watches is told";
  if (rule.decision != "approve") return "";
  std::string by;
  for (const std::string& name : rule.approval_by.names) by += (by.empty() ? "" : " or ") + name;
  const ApprovalTerms& terms = rule.approval;
  return ", each " + std::to_string(terms.uses) + " within " + Format(terms.within) +
         " approved by " + std::to_string(terms.quorum) + " of " +
         (by.empty() ? "the approvers" : by) + " within " + Format(terms.expires);
}

std::string Granted(const Config& config, const Rule& rule, const std::string& scope) {
  return " may have " + scope + " from " + Identity(config, rule.credential) + ", " +
         Allowance(rule.limit.value_or(Limit{})) + Bounds(rule.per_task, rule.concurrent) +
         ", by rule " + rule.name + Condition(rule);
}

void AddAgent(const Config& config, const Agent& agent, Lines* lines) {
  const std::string who = "agent " + agent.name;
  lines->insert(who + " is whoever has " + Known(agent.selectors));
  lines->insert(who + " may have tokens " + Allowance(agent.limit) +
                Bounds(agent.per_task, agent.concurrent));
  for (const Rule& rule : agent.rules) {
    for (const std::string& scope : rule.scopes) lines->insert(who + Granted(config, rule, scope));
  }
}

void AddRole(const char* role, const std::vector<std::string>& names,
             const std::vector<uint32_t>& gids, Lines* lines) {
  size_t next = 0;
  for (const std::string& name : names) {
    const bool group = name.starts_with("group:") && next < gids.size();
    const std::string gid = group ? " [" + std::to_string(gids[next++]) + "]" : "";
    lines->insert(name + gid + " may act as " + role);
  }
}

Lines RightsOf(const Config& config) {
  Lines lines;
  for (const auto& [name, agent] : config.agents) AddAgent(config, agent, &lines);
  AddRole("operator", config.admin.operators, config.admin.operator_gids, &lines);
  AddRole("approver", config.admin.approvers, config.admin.approver_gids, &lines);
  AddRole("auditor", config.admin.auditors, config.admin.auditor_gids, &lines);
  lines.insert("tokens come from " + config.tenant.authority + " for tenant " + config.tenant.id);
  if (!config.admin.client_id.empty()) {
    lines.insert("people sign in to " + config.admin.client_id + " for " +
                 Format(config.admin.session));
  }
  if (!config.admin.require_person)
    lines.insert("who is not signed in may approve, release and give roles");
  if (!config.admin.two_person_release)
    lines.insert("one operator alone may release after a kill or a revocation");
  for (const auto& [name, notifier] : config.notifiers) {
    if (!notifier.replies) continue;
    lines.insert("approvers by object id may answer in chat " + notifier.chat + " (" + name + ")");
  }
  if (!config.hardening.strict) lines.insert("weak separation is accepted");
  if (config.hardening.allow_same_uid) lines.insert("an agent may run as purser's own user");
  return lines;
}

// What is forbidden is a right the other way round.
Lines Forbidden(const Config& config) {
  Lines lines;
  for (const std::string& scope : config.never) lines.insert("rules may grant " + scope);
  return lines;
}

std::vector<std::string> Without(const Lines& lines, const Lines& others) {
  std::vector<std::string> rest;
  std::ranges::set_difference(lines, others, std::back_inserter(rest));
  return rest;
}

}  // namespace

RightsDiff CompareRights(const Config& before, const Config& after) {
  RightsDiff diff{Without(RightsOf(after), RightsOf(before)),
                  Without(RightsOf(before), RightsOf(after))};
  std::ranges::copy(Without(Forbidden(before), Forbidden(after)), std::back_inserter(diff.gained));
  std::ranges::copy(Without(Forbidden(after), Forbidden(before)), std::back_inserter(diff.lost));
  return diff;
}

}  // namespace broker::policy
