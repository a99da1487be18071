// sidecar/cli/watch.h: a command's answer, kept true on the screen until the person has seen
// enough.
#pragma once
#include <chrono>
#include <functional>
#include <string>

#include "sidecar/cli/daemon_commands.h"

namespace sidecar::cli {

/// Prints one frame on the console that it is given, and returns an ExitCode.
using Look = std::function<int(const Console&)>;
/// A key that was typed; returns what to say of it below the frame, which is looked at anew at
/// once.
using OnKey = std::function<std::string(char key)>;

// A look asks the broker, and it the ledger and the supervisor: often enough for a person's eyes,
// and nothing to any of them.
inline constexpr std::chrono::seconds kWatchInterval{2};

/// Shows `look` on the terminal, again every kWatchInterval and after each key, until Ctrl-C or
/// "q". A look without anything on `out` and a code of its own, of a daemon that restarts, leaves
/// the last frame standing, with a line that says why. Without a terminal on standard output, and
/// with --json, it refuses (kExitUsage); where the first look fails, it ends with that look's words
/// and code. Ends with kExitDone by "q", and by Ctrl-C with kExitInterrupted, from within, whatever
/// it waits for, with the terminal as it was. REQUIRES: one thread. Keys come from standard input
/// where that is a terminal.
int Watch(const Console& console, const Look& look, const OnKey& on_key = {});

/// The bytes that put `text` on a screen of so many rows in place of what stood there: nothing is
/// erased before it is overwritten, so that nothing flickers. Lines that find no room are counted
/// on the last row. What is no printable text or colour of ours is shown as "?".
std::string FrameBytes(const std::string& text, size_t rows);

}  // namespace sidecar::cli
