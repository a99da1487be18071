// sidecar/cli/usage.h: help texts, and what is said to a command line that makes no sense.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

namespace sidecar::cli {

/// Shows with each command the options of the commands above it, too: they may stand behind it.
class HelpFormatter final : public CLI::Formatter {
 public:
  std::string make_footer(const CLI::App* app) const override;
};

/// What to say to a word that is no command or no option, with the one that was meant where it is
/// a slip of the pen: a line. Empty for other faults, which CLI11 says well enough.
/// REQUIRES: parsing by `app` has just failed.
std::string UsageFault(const CLI::App& app);

}  // namespace sidecar::cli
