#include "broker/policy/decide.h"

#include <algorithm>
#include <set>

#include "broker/policy/kinds.h"
#include "broker/policy/scopes.h"

namespace broker::policy {
namespace {

// Whether the rule counts: one that waits for approval only where nothing is granted without.
bool Serves(const Rule& rule, bool gated) {
  return IsUngatedToken(rule) || (gated && rule.deliver == "token");
}

// The credentials that exist and that the agent's token rules name, in the order of the file.
std::vector<std::string> CredentialsOf(const Config& config, const Agent& agent, bool gated) {
  std::vector<std::string> names;
  for (const Rule& rule : agent.rules) {
    if (Serves(rule, gated) && config.credentials.contains(rule.credential) &&
        std::ranges::find(names, rule.credential) == names.end()) {
      names.push_back(rule.credential);
    }
  }
  return names;
}

// The rule that grants `scope`: one without a limit before one with, one that waits for approval
// last, then the order of the file.
const Rule* RuleFor(const Agent& agent, const std::string& credential, const std::string& scope,
                    bool gated) {
  const Rule* limited = nullptr;
  const Rule* waiting = nullptr;
  for (const Rule& rule : agent.rules) {
    if (rule.credential != credential || !Serves(rule, gated)) continue;
    if (std::ranges::find(rule.scopes, scope) == rule.scopes.end()) continue;
    if (!IsUngatedToken(rule)) {
      if (waiting == nullptr) waiting = &rule;
      continue;
    }
    if (!IsLimited(rule)) return &rule;
    if (limited == nullptr) limited = &rule;
  }
  return limited != nullptr ? limited : waiting;
}

// The rules that together cover all of `scopes`, in the order of the file; empty when some is not.
std::vector<const Rule*> Cover(const Config& config, const Agent& agent,
                               const std::string& credential, const RequestedScopes& scopes,
                               bool gated) {
  std::set<const Rule*> chosen;  // all in one array: the order of addresses is that of the file
  for (const std::string& name : scopes.names) {
    const Rule* rule = RuleFor(agent, credential,
                               QualifiedScope(scopes.resource, name, config.tenant.graph), gated);
    if (rule == nullptr) return {};
    chosen.insert(rule);
  }
  return {chosen.begin(), chosen.end()};
}

// What `.default` means for this agent on one credential: all its ungated token scopes there.
std::vector<std::string> DefaultNames(const Config& config, const Agent& agent,
                                      const std::string& credential, const std::string& resource) {
  std::set<std::string> names;
  for (const Rule& rule : agent.rules) {
    if (rule.credential != credential || !IsUngatedToken(rule)) continue;
    for (const std::string& scope : rule.scopes) {
      if (ResourceOf(scope, config.tenant.graph) != resource) continue;
      if (ContainsIgnoringCase(config.never, scope)) continue;
      names.insert(scope.substr(scope.rfind('/') + 1));  // a short name has no slash: npos + 1 is 0
    }
  }
  return {names.begin(), names.end()};
}

std::expected<RequestedScopes, Refusal> ResolveDefault(const Config& config, const Agent& agent,
                                                       RequestedScopes scopes) {
  std::vector<std::string> choices;
  for (const std::string& credential : CredentialsOf(config, agent, /*gated=*/false)) {
    const auto names = DefaultNames(config, agent, credential, scopes.resource);
    if (names.empty()) continue;
    choices.push_back("[" + JoinNames(names, " ") + "]");
    scopes.names = names;
  }
  if (choices.empty()) return Refuse(Reason::kNoRule);
  if (choices.size() > 1) {
    return Refuse(Reason::kAmbiguousDefault, "Ask for one of " + JoinNames(choices, " ") + ".");
  }
  return scopes;
}

// How much more the registration is consented to at the resource than what is asked for.
size_t Excess(const Config& config, const Credential& credential, const RequestedScopes& scopes) {
  return static_cast<size_t>(std::ranges::count_if(credential.scopes, [&](const std::string& one) {
    if (ResourceOf(one, config.tenant.graph) != scopes.resource) return false;
    return std::ranges::none_of(scopes.names, [&](const std::string& name) {
      return QualifiedScope(scopes.resource, name, config.tenant.graph) == one;
    });
  }));
}

// Of several rules that wait: the strictest of each term, and the groups of all.
void TakeApproval(const Rule& rule, Grant* grant) {
  const ApprovalTerms& more = rule.approval;
  if (!grant->approval) grant->approval = more;
  ApprovalTerms& terms = *grant->approval;
  if (!rule.approval_by.names.empty()) terms.by.push_back(rule.approval_by);
  terms.expires = std::min(terms.expires, more.expires);
  terms.within = std::min(terms.within, more.within);
  terms.uses = std::min(terms.uses, more.uses);
  terms.quorum = std::max(terms.quorum, more.quorum);
}

void TakeTerms(Grant* grant) {
  grant->continuous_access = std::ranges::all_of(grant->rules, &Rule::continuous_access);
  for (const Rule* rule : grant->rules) {
    const bool shorter =
        grant->max_lifetime.count() == 0 || rule->max_lifetime < grant->max_lifetime;
    if (rule->max_lifetime.count() != 0 && shorter) grant->max_lifetime = rule->max_lifetime;
    if (rule->decision == "notify") grant->notify = true;
    if (NeedsApproval(*rule)) TakeApproval(*rule, grant);
  }
}

std::expected<Grant, Refusal> OneCredential(const Config& config, const Agent& agent,
                                            RequestedScopes scopes, bool gated) {
  Grant grant{.agent = &agent, .scopes = std::move(scopes)};
  size_t least = 0;
  for (const std::string& name : CredentialsOf(config, agent, gated)) {
    auto rules = Cover(config, agent, name, grant.scopes, gated);
    if (rules.empty()) continue;
    const Credential& credential = config.credentials.at(name);
    if (grant.credential != nullptr && PrincipalOf(*grant.credential) != PrincipalOf(credential)) {
      return Refuse(Reason::kNoRule, {},
                    "credentials " + grant.credential->name + " and " + name +
                        " both cover the request: in doubt whose token it is");
    }
    const size_t excess = Excess(config, credential, grant.scopes);
    if (grant.credential != nullptr && excess >= least) {
      grant.passed_over.push_back(&credential);
      continue;
    }
    if (grant.credential != nullptr) grant.passed_over.push_back(grant.credential);
    grant.credential = &credential;
    grant.rules = std::move(rules);
    least = excess;
  }
  if (grant.credential == nullptr && !gated) {
    return OneCredential(config, agent, std::move(grant.scopes), /*gated=*/true);
  }
  if (grant.credential == nullptr) return Refuse(Reason::kNoRule);
  TakeTerms(&grant);
  return grant;
}

}  // namespace

std::expected<Grant, Refusal> Decide(const Config& config, const std::string& agent_name,
                                     const TokenRequest& request) {
  auto scopes = ParseScopes(request.scopes, config.tenant.graph);
  if (!scopes) return std::unexpected(scopes.error());
  const auto agent = config.agents.find(agent_name);
  if (agent == config.agents.end()) return Refuse(Reason::kNoRule, {}, "no such agent");
  for (const std::string& name : scopes->names) {
    const std::string scope = QualifiedScope(scopes->resource, name, config.tenant.graph);
    if (ContainsIgnoringCase(config.never, scope)) return Refuse(Reason::kNever, {}, scope);
  }
  if (scopes->is_default) {
    scopes = ResolveDefault(config, agent->second, *scopes);
    if (!scopes) return std::unexpected(scopes.error());
  }
  return OneCredential(config, agent->second, *std::move(scopes), /*gated=*/false);
}

std::vector<std::string> AllowedScopes(const Config& config, const Grant& grant) {
  std::vector<std::string> allowed;
  for (const Rule& rule : grant.agent->rules) {
    const bool granted = std::ranges::find(grant.rules, &rule) != grant.rules.end();
    const bool anyway = IsUngatedToken(rule) && !IsLimited(rule);
    if (rule.credential != grant.credential->name || (!granted && !anyway)) continue;
    for (const std::string& scope : rule.scopes) {
      if (ResourceOf(scope, config.tenant.graph) == grant.scopes.resource &&
          !ContainsIgnoringCase(config.never, scope)) {
        allowed.push_back(scope.substr(scope.rfind('/') + 1));
      }
    }
  }
  std::ranges::sort(allowed);
  const auto repeated = std::ranges::unique(allowed);
  allowed.erase(repeated.begin(), repeated.end());
  return allowed;
}

std::vector<std::vector<std::string>> MostScopes(const Config& config,
                                                 const std::string& credential,
                                                 const std::string& resource) {
  std::vector<std::vector<std::string>> most;
  for (const auto& [name, agent] : config.agents) {
    auto names = DefaultNames(config, agent, credential, resource);
    if (!names.empty()) most.push_back(std::move(names));
  }
  return most;
}

}  // namespace broker::policy
