// sidecar/broker/budget_rows.h: limits as they stand, for whoami and `purser budget`.
#pragma once
#include <nlohmann/json.hpp>
#include <vector>

#include "broker/budgets.h"

namespace sidecar::broker_role {

/// One object for each limit: what it counts, whose it is, what is left and when there is more.
nlohmann::json BudgetRows(const std::vector<broker::BudgetState>& states);

}  // namespace sidecar::broker_role
