// sidecar/cli/role_command.h: `purser role give|end`, `purser roles`.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

#include "sidecar/cli/session.h"

namespace sidecar::cli {

/// As it was typed.
struct RoleOrder {
  std::string holder;  // a user's name or number, or a person's object id
  std::string role;
  std::string lasts;  // "2h"
  std::string why;
};

/// Adds them to `app`; what was typed is put into `session` and `order`, which outlive the parsing.
void AddRoles(CLI::App& app, Session& session, RoleOrder& order);

/// Each returns an ExitCode.
int RunGiveRole(const Console& console, const RoleOrder& order);
int RunEndRole(const Console& console, const RoleOrder& order);
int RunRoles(const Console& console);

}  // namespace sidecar::cli
