// broker/teardown_plan.h: what ends at Entra with the whole instance.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "broker/upstream_stop.h"

namespace broker {

/// In two parts: the second one takes away what the first one is done with.
struct TeardownPlan {
  std::vector<UpstreamStep> first;  // in any order, each once
  std::vector<UpstreamStep> own;    // of the credential that [admin] upstream names
  /// Credentials whose identity stays enabled: no agent acts as it, or purser acts with it itself.
  std::set<std::string> left;
};

/// Every credential's own secret, certificate, sessions and grants; the identities that agents act
/// as are disabled. What no agent acts as is not: a machine's identity may serve others. Pure.
TeardownPlan PlanTeardown(const policy::Config& config);

}  // namespace broker
