// broker/ledger/head.h: the snapshot that is overwritten after each commit. FORMAT.md has the line.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "broker/base/result.h"
#include "broker/ledger/state.h"

namespace broker::ledger {

/// Where the last acknowledged line stands, and what all lines up to it amount to. It lets a start
/// read a few lines instead of all, and a verifier notice a tail that was cut or changed without an
/// outside anchor. It is not synced and not signed: it is checked against the line it names, and
/// after a power failure it may lag. Signed checkpoints take its second duty over.
struct Head {
  State state;
  std::string segment;  // file name
  uint64_t offset = 0;  // where the line begins in it
  bool operator==(const Head&) const = default;
};

/// One line with its newline, padded with spaces to at least kHeadBytes, so that overwriting the
/// file in place never leaves the end of a longer one behind.
inline constexpr size_t kHeadBytes =
    1024;  // one sector or two: a torn overwrite is rare, not fatal
std::string FormatHead(const Head& head);

/// Reads the first line of the file. Errors: kCorrupt.
Result<Head> ParseHead(std::string_view file);

}  // namespace broker::ledger
