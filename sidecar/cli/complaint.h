// sidecar/cli/complaint.h: saying what went wrong, to a person or to a program.
#pragma once
#include <iosfwd>
#include <string>

#include "sidecar/cli/terminal.h"

namespace sidecar::cli {

/// Where a command prints, and how.
struct Output {
  std::ostream& out;
  std::ostream& err;
  bool json = false;
};

/// Says `why`: a line on `err`, or with --json an object on `out` with the members of the daemon's
/// own refusals: {"error":"not_done","error_description":WHY}, in one line. Returns `code`.
int Complain(const Output& to, const std::string& why, ExitCode code = kExitRefused);

}  // namespace sidecar::cli
