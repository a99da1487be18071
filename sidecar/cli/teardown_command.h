// sidecar/cli/teardown_command.h: `purser teardown`.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

#include "sidecar/cli/session.h"

namespace sidecar::cli {

/// As it was typed.
struct TeardownOrder {
  std::string why;
  std::string name;  // of the instance, typed on the command line
  std::string out;   // where the report goes, too
  bool skip_upstream = false;
  bool even_if_upstream_failed = false;
  bool report = false;  // print the one that is kept, and do nothing
};

/// Adds it to `app`; what was typed is put into `session` and `order`, which outlive the parsing.
void AddTeardown(CLI::App& app, Session& session, TeardownOrder& order);

}  // namespace sidecar::cli
