#include "broker/policy/explain.h"

#include <algorithm>
#include <set>

#include "broker/base/ascii.h"
#include "broker/policy/clouds.h"
#include "broker/policy/config_values.h"
#include "broker/policy/decide.h"
#include "broker/policy/inert.h"
#include "broker/policy/nearest.h"
#include "broker/policy/scopes.h"

namespace broker::policy {
namespace {

bool Contains(const std::vector<std::string>& list, const std::string& one) {
  return std::ranges::find(list, one) != list.end();
}

// The requested scopes in canonical form; empty for .default and for what is no request.
std::vector<std::string> Canonical(const RequestedScopes& scopes, const std::string& graph) {
  std::vector<std::string> names;
  names.reserve(scopes.names.size());
  for (const std::string& name : scopes.names) {
    names.push_back(QualifiedScope(scopes.resource, name, graph));
  }
  return names;
}

// Splits what a rule grants of the request from what it does not.
std::string Coverage(const Rule& rule, const std::vector<std::string>& asked) {
  std::vector<std::string> has, lacks;
  for (const std::string& scope : asked)
    (Contains(rule.scopes, scope) ? has : lacks).push_back(scope);
  if (asked.empty() || has.empty())
    return "grants " + JoinNames(rule.scopes, ", ") + ", nothing that is asked for";
  return "grants " + JoinNames(has, ", ") +
         (lacks.empty() ? "" : ", not " + JoinNames(lacks, ", "));
}

// What of a rule or an agent counts, with the words that go before.
std::string Limits(const char* before, const std::optional<Limit>& limit, const Limit& per_task,
                   uint32_t concurrent) {
  std::string text;
  const auto add = [&](const std::string& one) { text += (text.empty() ? before : ", ") + one; };
  if (limit && limit->count > 0) add(Format(*limit));
  if (per_task.count > 0) add(Format(per_task) + " for each task");
  if (concurrent > 0) add(std::to_string(concurrent) + " tokens alive at a time");
  return text;
}

std::string WhyRule(const Rule& rule, const std::vector<std::string>& asked,
                    const std::expected<Grant, Refusal>& grant) {
  std::string why = Coverage(rule, asked);
  const bool covers = std::ranges::any_of(
      asked, [&](const std::string& scope) { return Contains(rule.scopes, scope); });
  if (!grant || !covers) return why;
  if (std::ranges::find(grant->rules, &rule) != grant->rules.end()) {
    return why +
           Limits("; counts against its limit of ", rule.limit, rule.per_task, rule.concurrent);
  }
  if (rule.credential != grant->credential->name) {
    return why + "; not used, credential " + grant->credential->name + " serves the whole request";
  }
  return why + "; not used, another rule grants the same" +
         (IsLimited(rule) ? " without a limit" : " and stands before it");
}

bool HasRuleFor(const Agent& agent, const std::string& scope) {
  return std::ranges::any_of(agent.rules,
                             [&](const Rule& rule) { return Contains(rule.scopes, scope); });
}

// "Mail.Read" of a full URI that means Graph but is not this tenant's; else empty.
std::string NameAtAnotherGraph(const std::string& scope, const std::string& graph) {
  if (scope.find("://") == std::string::npos) return {};
  std::string_view resource = std::string_view(scope).substr(0, scope.rfind('/'));
  while (resource.ends_with('/')) resource.remove_suffix(1);
  const bool meant = SameIgnoringCase(resource, graph) || IsGraphOfSomeCloud(resource);
  return meant ? scope.substr(scope.rfind('/') + 1) : std::string();
}

// A scope that `scope` is one slip of the pen from; more would make Mail.Read of Mail.Send. Those
// of rules come first.
std::string NearMiss(const Config& config, const Agent& agent, const std::string& scope) {
  // One slip makes a word longer or shorter by one at most: the others need not be compared.
  const auto is_near = [&](const std::string& one) {
    const auto [shorter, longer] = std::minmax({one.size(), scope.size()});
    return longer - shorter <= 1 && EditDistance(one, scope) <= 1;
  };
  const auto near = [&](const std::vector<std::string>& scopes) {
    const auto found = std::ranges::find_if(scopes, is_near);
    return found == scopes.end() ? std::string() : *found;
  };
  for (const Rule& rule : agent.rules) {
    if (std::string found = near(rule.scopes); !found.empty()) return found;
  }
  for (const auto& [name, credential] : config.credentials) {
    if (std::string found = near(credential.scopes); !found.empty()) return found;
  }
  return {};
}

// What would have to be written so that `scope` is granted.
std::string HowToGrant(const Config& config, const Agent& agent, const std::string& scope) {
  if (const std::string name = NameAtAnotherGraph(scope, config.tenant.graph); !name.empty()) {
    return "ask for " + Inert(name) + ": this tenant's Graph is " + config.tenant.graph +
           (HasRuleFor(agent, name) ? "" : "; then " + HowToGrant(config, agent, name));
  }
  for (const Rule& rule : agent.rules) {
    for (const std::string& one : rule.scopes) {
      if (one != scope && SameIgnoringCase(one, scope)) return "ask for " + one + ": case matters";
    }
  }
  for (const auto& [name, credential] : config.credentials) {
    if (!Contains(credential.scopes, scope)) continue;
    return "a rule [[agent." + agent.name + ".allow]] with scopes = [" + Inert(scope) +
           "] and credential = \"" + name + "\", whose registration is consented to it";
  }
  std::string meant = NearMiss(config, agent, scope);
  if (!meant.empty()) {
    meant = HasRuleFor(agent, meant)
                ? "ask for " + meant + " if that is meant; else "
                : "if " + meant + " is meant: " + HowToGrant(config, agent, meant) + "; else ";
  }
  return meant + "no credential is consented to " + Inert(scope) +
         ": consent a registration to it, list it in that [credential.NAME], and add a rule to "
         "[agent." +
         agent.name + "]";
}

std::vector<std::string> ChangesForNoRule(const Config& config, const Agent& agent,
                                          const std::vector<std::string>& asked) {
  std::vector<std::string> changes;
  std::set<std::string> sources;
  for (const std::string& scope : asked) {
    const auto rule = std::ranges::find_if(agent.rules, [&](const Rule& one) {
      return one.deliver == "token" && Contains(one.scopes, scope);
    });
    if (rule == agent.rules.end()) {
      changes.push_back(HowToGrant(config, agent, scope));
    } else {
      sources.insert(rule->credential);
    }
  }
  if (changes.empty() && sources.size() > 1) {
    changes.push_back("ask in separate requests: the scopes come from different credentials (" +
                      JoinNames({sources.begin(), sources.end()}, ", ") + "), and a token has one");
  }
  if (asked.empty()) changes.push_back("name the scopes: .default stands for nothing here");
  return changes;
}

std::vector<std::string> ChangesFor(const Config& config, const Agent* agent,
                                    const std::vector<std::string>& asked, const Refusal& refusal) {
  if (agent == nullptr) {
    return {"there is no such agent: define [agent.NAME] in purser.toml or a file of agents.d"};
  }
  if (refusal.reason == Reason::kNoRule) return ChangesForNoRule(config, *agent, asked);
  if (refusal.reason == Reason::kNever) {
    return {"[policy] never forbids " + refusal.detail +
            " to every agent: only its removal there, "
            "and a rule, would grant it"};
  }
  std::string change = "another request: " + std::string(Describe(refusal.reason).description);
  if (!refusal.hint.empty()) change += " " + refusal.hint;
  return {change};
}

void AddSelectors(const Agent& agent, const Facts& facts, Explanation* out) {
  out->selectors = MatchSelectors(agent, facts);
  if (out->selectors->held()) return;
  out->granted = false;
  out->credential.clear();
  out->reason = Describe(Reason::kPeerRefused).name;
  out->verdict = "refused before any rule is read: the process is not the agent (" +
                 out->selectors->FirstFault() + ")";
  std::vector<std::string> advice;
  for (const SelectorResult& result : out->selectors->results) {
    if (result.outcome != SelectorOutcome::kHeld) advice.push_back(SelectorAdvice(result));
  }
  out->changes.insert(out->changes.begin(), advice.begin(), advice.end());
}

void AddVerdict(const Config& config, const Agent* agent, const std::vector<std::string>& asked,
                const std::expected<Grant, Refusal>& grant, Explanation* out) {
  if (!grant) {
    const ReasonInfo& info = Describe(grant.error().reason);
    out->reason = info.name;
    out->verdict = "denied: " + std::string(info.name);
    out->changes = ChangesFor(config, agent, asked, grant.error());
    return;
  }
  out->granted = true;
  out->credential = grant->credential->name;
  out->verdict = "granted from credential " + out->credential +
                 (grant->approval ? ", each time people have approved it" : "") +
                 ", as long as a minted token holds "
                 "no more than " +
                 JoinNames(AllowedScopes(config, *grant), ", ");
  if (grant->approval) {
    const ApprovalTerms& terms = *grant->approval;
    out->changes.push_back("it waits at most " + Format(terms.expires) + " for the yes of " +
                           std::to_string(terms.quorum) +
                           (terms.quorum == 1 ? " person" : " people") + ": purser approvals");
  }
  const std::string limits = Limits("every token counts against the agent's limit of ",
                                    agent->limit, agent->per_task, agent->concurrent);
  if (!limits.empty()) out->changes.push_back(limits);
}

}  // namespace

std::string SelectorAdvice(const SelectorResult& result) {
  const std::string wanted = result.selector + " " + result.wanted;
  if (result.outcome == SelectorOutcome::kFactMissing) {
    return "the kernel did not say the peer's " + result.selector + ", and " + wanted +
           " must hold: see `purser doctor`, or remove the selector";
  }
  return "run the agent with " + wanted + ", or change " + result.selector + " in its table";
}

Explanation Explain(const Config& config, const std::string& agent,
                    const std::vector<std::string>& scopes, const Facts* facts) {
  Explanation out{.agent = agent, .scopes = scopes};
  TokenRequest request;
  request.scopes = scopes;
  const auto grant = Decide(config, agent, request);
  const auto parsed = ParseScopes(scopes, config.tenant.graph);
  std::vector<std::string> asked;
  if (grant) {
    asked = Canonical(grant->scopes, config.tenant.graph);
  } else if (parsed) {
    asked = Canonical(*parsed, config.tenant.graph);
  }
  const auto found = config.agents.find(agent);
  const Agent* known = found == config.agents.end() ? nullptr : &found->second;
  AddVerdict(config, known, asked, grant, &out);
  if (known == nullptr) return out;
  for (const Rule& rule : known->rules) {
    const bool used = grant && std::ranges::find(grant->rules, &rule) != grant->rules.end();
    out.rules.push_back(
        {rule.name, rule.place, rule.credential, used, WhyRule(rule, asked, grant)});
  }
  if (facts != nullptr) AddSelectors(*known, *facts, &out);
  return out;
}

}  // namespace broker::policy
