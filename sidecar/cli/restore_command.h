// sidecar/cli/restore_command.h: `purser restore --accept`.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

#include "sidecar/cli/session.h"

namespace sidecar::cli {

/// What was typed.
struct RestoreOrder {
  bool accept = false;  // required: the word is the consent
  std::string why;
};

/// Adds it to `app`; what was typed is put into `session` and `order`, which outlive the parsing.
void AddRestore(CLI::App& app, Session& session, RestoreOrder& order);

/// Has the broker open a store that does not fit the ledger, waits until it is open, and says what
/// is to be done next. Returns an ExitCode.
int RunRestore(const Console& console, const std::string& why);

}  // namespace sidecar::cli
