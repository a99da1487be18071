// sidecar/cli/approval_commands.h: `purser approvals`, `approve` and `deny`.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

#include "sidecar/cli/session.h"

namespace sidecar::cli {

/// As it was typed.
struct ApprovalOrder {
  std::string id;  // or how it begins
  std::string why;
  std::string exec;  // a command for each new approval and notice
  bool watch = false;
};

/// Adds the three to `app`; what was typed is put into `session` and `order`, which outlive the
/// parsing.
void AddApprovals(CLI::App& app, Session& session, ApprovalOrder& order);

/// Prints what waits, facts first; live and with approve and deny in place with `order.watch`. With
/// `order.exec` runs that command for each that is new, its JSON on standard input, until it is
/// ended. Returns an ExitCode.
int RunApprovals(const Console& console, const ApprovalOrder& order);
/// Shows the one, and says yes or no to exactly what was shown. Returns an ExitCode.
int RunDecision(const Console& console, const ApprovalOrder& order, bool yes);

/// One approval of GET /v1/approvals for a person: what is proven, then what is claimed, quoted, in
/// lines of a usual terminal. Pure but for the names of users.
std::string CardText(const nlohmann::json& approval);

}  // namespace sidecar::cli
