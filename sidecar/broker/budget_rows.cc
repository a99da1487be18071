#include "sidecar/broker/budget_rows.h"

#include <utility>

#include "broker/base/unix_time.h"

namespace sidecar::broker_role {

using broker::BudgetState, broker::Measure;
using nlohmann::json;

json BudgetRows(const std::vector<BudgetState>& states) {
  json limits = json::array();
  for (const BudgetState& state : states) {
    json row = {{"kind", broker::NameOf(state.measure)},
                {"limit", state.limit.count},
                {"remaining", state.remaining},
                {"next_in", state.next_in.count()}};
    if (!state.rule.empty()) row["rule"] = state.rule;
    if (state.measure != Measure::kConcurrent) row["per_seconds"] = state.limit.per.count();
    if (state.measure == Measure::kPerTask) row["tasks"] = state.tasks;
    if (state.raised > 0) {
      row["raised"] = state.raised;
      row["raised_until"] = broker::UnixSeconds(*state.raised_until);
    }
    limits.push_back(std::move(row));
  }
  return limits;
}

}  // namespace sidecar::broker_role
