#include "broker/teardown_plan.h"

#include <algorithm>

namespace broker {
namespace {

bool Disables(const UpstreamStep& step) {
  return step.deed == UpstreamDeed::kDisablePrincipal || step.deed == UpstreamDeed::kDisableAgent;
}

void AddOnce(const UpstreamStep& step, std::vector<UpstreamStep>* steps) {
  // Two credentials may share a user or a registration, but each has a secret of its own.
  const bool removes =
      step.deed == UpstreamDeed::kRemoveSecret || step.deed == UpstreamDeed::kRemoveKey;
  const bool known = !removes && std::ranges::any_of(*steps, [&](const UpstreamStep& other) {
    return other.deed == step.deed && other.target == step.target && other.user == step.user;
  });
  if (!known) steps->push_back(step);
}

}  // namespace

TeardownPlan PlanTeardown(const policy::Config& config) {
  TeardownPlan plan;
  std::set<std::string> agents, disabled;
  for (const auto& [name, agent] : config.agents) agents.insert(name);
  for (const auto& [name, credential] : config.credentials) {
    auto& steps = name == config.admin.upstream ? plan.own : plan.first;
    for (const UpstreamStep& step : StepsToRevoke(config, credential)) {
      if (!Disables(step)) AddOnce(step, &steps);
    }
  }
  for (const UpstreamStep& step : StepsToDisable(config, agents, &plan.left)) {
    if (Disables(step)) disabled.insert(step.target);
    AddOnce(step, &plan.first);
  }
  for (const auto& [name, credential] : config.credentials) {
    if (credential.kind == "webhook-url") continue;  // Entra does not know it
    if (!disabled.contains(credential.client_id)) plan.left.insert(name);
  }
  return plan;
}

}  // namespace broker
