// sidecar/cli/ledger_files.h: reads a ledger's folder, without asking the daemon.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"
#include "broker/ledger/verifier.h"

namespace sidecar::cli {

/// Names of the segments in `folder`, in the order of their entries.
/// Errors: kUnavailable, with a sentence that names the folder.
broker::Result<std::vector<std::string>> ListSegments(const std::string& folder);

struct SegmentFile {
  std::string name;
  std::string path;
};
/// Those of `folder`, and before them those that are in its archive alone: in `archive`, or where
/// it is empty in the archive folder below `folder`, if there is one that can be read. Errors:
/// kUnavailable.
broker::Result<std::vector<SegmentFile>> ListAllSegments(const std::string& folder,
                                                         const std::string& archive);

/// What all entries before the segment amount to, as it was kept in `folder` when those before it
/// were archived; nothing where nothing was.
std::optional<broker::ledger::Head> ReadEndBefore(const std::string& folder,
                                                  const std::string& segment);

/// The head file as a verifier wants it. Errors: kUnavailable (there, but it cannot be read).
broker::Result<broker::ledger::Expectations> ReadExpectations(const std::string& folder);

/// Calls `lines` with whole lines, newlines included, from `*offset` of the file on, in large
/// pieces, and leaves `*offset` behind the last of them; false from `lines` ends it. Returns what
/// stands behind the last newline. Errors: kUnavailable.
broker::Result<std::string> ReadLines(const std::string& path, uint64_t* offset,
                                      const std::function<bool(std::string_view)>& lines);

/// Calls `line` with each line (no newline) of the file, the last one first, until it returns
/// false. Errors: kUnavailable.
broker::Status ReadLinesBackwards(const std::string& path,
                                  const std::function<bool(std::string_view)>& line);

}  // namespace sidecar::cli
