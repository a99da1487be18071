// sidecar/cli/budget_command.h: `purser budget`.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

#include "sidecar/cli/session.h"

namespace sidecar::cli {

/// As it was typed.
struct BudgetOrder {
  std::string agent;
  std::string raise;           // "RULE=N", or "N" for the agent's own limit; empty: only look
  std::string kind = "limit";  // or "per-task", "concurrent"
  std::string why;
  std::string lasts;  // "2h"; empty: a day
};

/// Adds it to `app`; what was typed is put into `session` and `order`, which outlive the parsing.
void AddBudget(CLI::App& app, Session& session, BudgetOrder& order);

/// Shows what is left of the agent's limits, after a raise where one is ordered. Returns an
/// ExitCode.
int RunBudget(const Console& console, const BudgetOrder& order);

}  // namespace sidecar::cli
