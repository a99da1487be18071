// sidecar/cli/terminal.h: what a person sees and types.
#pragma once
#include <iosfwd>
#include <string>
#include <vector>

#include "broker/base/result.h"
#include "broker/base/secret.h"

namespace sidecar::cli {

/// Exit codes of `purser`.
enum ExitCode {
  kExitDone = 0,
  kExitRefused = 1,
  kExitUsage = 2,
  kExitTampering = 3,
  kExitUnreachable = 4,
  kExitInterrupted = 130,  // as shells number the end by SIGINT
};

/// Rows under a header, columns padded to their widest cell, the header bold on a terminal.
void PrintTable(std::ostream& out, const std::vector<std::string>& header,
                const std::vector<std::vector<std::string>>& rows);

/// Reads a secret: all of standard input when that is no terminal (one final newline dropped), else
/// one line with `prompt` and without echo. Errors: kInvalidRequest (empty, over 48 KiB).
broker::Result<broker::Secret> ReadSecret(const std::string& prompt);

/// Whether standard output is a terminal and NO_COLOR is not set.
bool UseColour();
std::string Bold(const std::string& text);
std::string Green(const std::string& text);
std::string Red(const std::string& text);
std::string Yellow(const std::string& text);

}  // namespace sidecar::cli
