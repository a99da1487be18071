// broker/policy/decide.h: may this agent have this?
#pragma once
#include <string>
#include <vector>

#include "broker/policy/config.h"
#include "broker/token_request.h"

namespace broker::policy {

/// A grant: which rules cover the request, and the one credential that serves it.
struct Grant {
  const Agent* agent = nullptr;            // borrowed from the Config
  const Credential* credential = nullptr;  // borrowed from the Config
  std::vector<const Rule*> rules;          // one or more, in the order of the file
  RequestedScopes scopes;                  // with .default resolved to this agent's scopes
};

/// Pure. `agent_name` is what the kernel attested, never what was sent.
/// A request is granted when one credential exists whose rules for this agent together cover every
/// requested scope. Refuses: kNoRule, kNever, kAmbiguousDefault (the hint lists the choices),
/// kInvalidScope, kMixedResources.
std::expected<Grant, Refusal> Decide(const Config& config, const std::string& agent_name,
                                     const TokenRequest& request);

/// All scopes that this agent may have as ungated, unlimited tokens from `credential` for
/// `resource`: what a minted token may hold at most (promise 6). Sorted names.
std::vector<std::string> AllowedScopes(const Config& config, const Agent& agent,
                                       const std::string& credential, const std::string& resource);

}  // namespace broker::policy
