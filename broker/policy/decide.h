// broker/policy/decide.h: may this agent have this?
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "broker/policy/config.h"
#include "broker/token_request.h"

namespace broker::policy {

/// A grant: which rules cover the request, and the one credential that serves it.
struct Grant {
  const Agent* agent = nullptr;                // borrowed from the Config
  const Credential* credential = nullptr;      // borrowed from the Config
  std::vector<const Rule*> rules;              // one or more, in the order of the file
  RequestedScopes scopes;                      // with .default resolved to this agent's scopes
  std::vector<const Credential*> passed_over;  // would have served too, in the order of the file
  std::chrono::seconds max_lifetime{0};        // the shortest of the rules'; 0: none has one
  bool continuous_access = false;              // every rule asks for it
  bool notify = false;                         // some rule says so
  std::optional<ApprovalTerms> approval;       // of the rules that wait for one, together
};

/// Pure. `agent_name` is what the kernel attested, never what was sent.
/// A request is granted when a credential exists whose rules for this agent together cover every
/// requested scope. Of several, the one is taken whose registration is consented to the least
/// beyond the request at its resource; of equals the one that the agent's rules name first. Their
/// rights must be the same one's (PrincipalOf): whose token it is, is never in doubt (the parser
/// refuses such configurations). For a scope that two rules grant, the one without a limit is
/// taken; rules that wait for approval serve only what no credential serves without. Scope names
/// are compared exactly: Entra reads them without regard to case, so a request in another case
/// would be served there, but is refused here. `never` alone is compared without regard to case, so
/// that no spelling gets around it. Refuses: kNoRule, kNever, kAmbiguousDefault (the hint lists the
/// choices), and what ParseScopes refuses.
std::expected<Grant, Refusal> Decide(const Config& config, const std::string& agent_name,
                                     const TokenRequest& request);

/// What a token minted for this grant may hold at most (promise 6): what the grant's own rules
/// grant, and what this agent may have from the same credential and resource as ungated, unlimited
/// tokens anyway. Sorted names.
std::vector<std::string> AllowedScopes(const Config& config, const Grant& grant);

/// The most that AllowedScopes is for any request of an agent, for each agent with rules for this
/// credential at `resource`: what none of them covers may be released to nobody.
std::vector<std::vector<std::string>> MostScopes(const Config& config,
                                                 const std::string& credential,
                                                 const std::string& resource);

}  // namespace broker::policy
