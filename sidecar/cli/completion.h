// sidecar/cli/completion.h: shell completion, made from the command's own table.
#pragma once
#include <CLI/App.hpp>
#include <iosfwd>
#include <string>

namespace sidecar::cli {

/// Writes a completion script for "bash" or "zsh" (through bashcompinit). Returns an ExitCode.
int PrintCompletion(const CLI::App& app, const std::string& shell, std::ostream& out);

}  // namespace sidecar::cli
