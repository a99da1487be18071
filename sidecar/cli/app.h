// sidecar/cli/app.h: the purser command.
#pragma once

namespace sidecar::cli {

/// Parses the command line, runs one command, returns its exit code (ExitCode). 2 on usage errors.
int RunPurser(int argc, char** argv);

}  // namespace sidecar::cli
