#include "broker/policy/sharing.h"

#include <algorithm>
#include <set>
#include <utility>

#include "broker/policy/kinds.h"
#include "broker/policy/registrations.h"
#include "broker/policy/scopes.h"

namespace broker::policy {
namespace {

using Scopes = std::set<std::string>;

// What agents may have of one registration, of one of the two sorts of permission.
struct Registered {
  std::vector<std::string> credentials;
  std::map<std::string, Scopes> agents;
};

void AddAgents(const Config& config, const std::string& credential, Registered* to) {
  to->credentials.push_back(credential);
  for (const auto& [name, agent] : config.agents) {
    for (const Rule& rule : agent.rules) {
      if (rule.credential != credential) continue;
      to->agents[name].insert(rule.scopes.begin(), rule.scopes.end());
    }
  }
}

bool HaveTheSame(const std::map<std::string, Scopes>& agents) {
  return std::ranges::all_of(
      agents, [&](const auto& agent) { return agent.second == agents.begin()->second; });
}

std::string Message(const Registered& shared) {
  std::vector<std::string> agents;
  agents.reserve(shared.agents.size());
  for (const auto& [name, scopes] : shared.agents) agents.push_back(name);
  const bool several = shared.credentials.size() > 1;
  const std::string what =
      several ? "one registration by credentials " + JoinNames(shared.credentials, ", ")
              : "credential " + shared.credentials.front();
  return "agents " + JoinNames(agents, ", ") + " share " + what +
         ": Entra puts every scope consented to its registration into each token, so what is "
         "consented to for one of them comes with the tokens of all, and who may not have it gets "
         "none (over_scoped); " +
         (HaveTheSame(shared.agents)
              ? "they may have the same today: before one of them gets more, give it a "
                "registration of its own"
              : "use one registration for each set of scopes: purser doctor --registrations "
                "prints the commands");
}

}  // namespace

std::vector<Diagnostic> SharingWarnings(const Config& config) {
  std::map<std::pair<std::string, bool>, Registered> registrations;
  for (const auto& [name, credential] : config.credentials) {
    AddAgents(config, name, &registrations[{RegistrationKey(credential), IsDelegated(credential)}]);
  }
  std::vector<std::pair<std::string, Diagnostic>> warnings;
  for (const auto& [key, registered] : registrations) {
    if (registered.agents.size() < 2) continue;
    const std::string& first = registered.credentials.front();
    warnings.push_back({first, {config.credentials.at(first).place, Message(registered)}});
  }
  std::ranges::sort(warnings, {}, &std::pair<std::string, Diagnostic>::first);
  std::vector<Diagnostic> sorted;
  sorted.reserve(warnings.size());
  for (auto& [name, warning] : warnings) sorted.push_back(std::move(warning));
  return sorted;
}

}  // namespace broker::policy
