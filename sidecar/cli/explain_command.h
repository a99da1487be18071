// sidecar/cli/explain_command.h: `purser explain AGENT --scopes X | --seq N | --refused`, and
// `purser explain --refused` for the operator's socket.
#pragma once
#include <iosfwd>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "broker/policy/config.h"

namespace sidecar::cli {

struct ExplainOptions {
  const broker::policy::Config& config;  // borrowed
  std::string agent;                     // empty: the operator's socket, with --seq and --refused
  bool json = false;
  bool stopped = false;  // a kill holds, as the ledger's head has it
};

/// What to say to a name of no agent, with the one that was meant where it is a slip of the pen.
std::string NoSuchAgent(const broker::policy::Config& config, const std::string& agent);

// Each returns an ExitCode: 0 when there was something to explain, granted or denied; 1 when not.

/// --scopes: what Decide says today to this agent asking for these scopes.
int ExplainScopes(const ExplainOptions& options, const std::vector<std::string>& scopes,
                  std::ostream& out, std::ostream& err);
/// --seq: one parsed entry of the ledger. An entry of another agent is refused.
int ExplainPast(const ExplainOptions& options, const nlohmann::json& entry, std::ostream& out,
                std::ostream& err);
/// --refused: those of `entries` that are refused connections to this agent's socket, in their
/// order.
int ExplainRefused(const ExplainOptions& options, const std::vector<nlohmann::json>& entries,
                   std::ostream& out, std::ostream& err);

}  // namespace sidecar::cli
