// sidecar/cli/archive_command.h: `purser ledger archive`.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

#include "sidecar/cli/session.h"

namespace sidecar::cli {

/// As it was typed: one of the two.
struct ArchiveOrder {
  std::string before;  // "2026-10-01"
  std::string keep;    // "90d"
};

/// Adds it to `ledger`; what was typed is put into `session` and `order`, which outlive the
/// parsing.
void AddArchive(CLI::App& ledger, Session& session, ArchiveOrder& order);

}  // namespace sidecar::cli
