// sidecar/cli/ledger_options.h: the command lines of the commands that read the ledger's files.
#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "sidecar/cli/audit_command.h"
#include "sidecar/cli/session.h"

namespace sidecar::cli {

/// What `explain` was asked.
struct ExplainQuestion {
  std::string agent;
  std::vector<std::string> scopes;
  uint64_t seq = 0;
  bool refused = false;
};

/// What the audit commands were asked.
struct AuditQuestion {
  std::string folder;  // empty: as configured
  AuditFilter filter;
  uint64_t count = 10;
  uint64_t limit = 0;
  uint64_t seq = 0;
  bool follow = false;
  std::string head;
  std::string archive;  // empty: below `folder`
};

/// Each adds its commands to `app`; what was typed is put into `session` and `question`, which
/// outlive the parsing.
void AddExplain(CLI::App& app, Session& session, ExplainQuestion& question);
void AddAudit(CLI::App& app, Session& session, AuditQuestion& question);

}  // namespace sidecar::cli
