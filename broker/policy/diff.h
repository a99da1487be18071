// broker/policy/diff.h: what two configurations allow differently, for `reload --dry-run`.
#pragma once
#include <string>
#include <vector>

#include "broker/policy/config.h"

namespace broker::policy {

/// Rights, a readable line each, sorted: "agent helpdesk may have Mail.Send from aid-mail (5/day)".
/// A right that changed stands in both lists: as it was and as it will be.
struct RightsDiff {
  std::vector<std::string> gained, lost;
};

/// Pure. Compares what agents may have from which registration and how often, which processes count
/// as an agent, who holds which role, what is never granted, and how much separation is insisted
/// on.
RightsDiff CompareRights(const Config& before, const Config& after);

}  // namespace broker::policy
