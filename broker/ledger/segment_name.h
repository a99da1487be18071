// broker/ledger/segment_name.h: the names of the files in the ledger's folder.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace broker::ledger {

/// The snapshot of the last acknowledged line (head.h).
inline constexpr std::string_view kHeadFile = "head";
/// Bytes of an unfinished write, moved aside at a start.
inline constexpr std::string_view kTornSuffix = ".torn";
/// The same, not yet recorded in the ledger.
inline constexpr std::string_view kTornNewSuffix = ".torn.new";

/// Where closed segments are moved to, in the ledger's folder.
inline constexpr std::string_view kArchiveFolder = "archive";
/// Behind a segment's name: what all entries up to its last one amount to (a Head), so that a start
/// and a verifier can go on from there without it.
inline constexpr std::string_view kEndSuffix = ".end";

/// "2026-11-20.000000000041.jsonl": the day (UTC) on which it was begun and the seq of its first
/// line. Names sort in the order of the lines.
struct SegmentName {
  std::string date;  // "2026-11-20"
  uint64_t first_seq = 0;
  auto operator<=>(const SegmentName&) const = default;
};

std::string FormatSegmentName(const SegmentName& name);
/// Nothing for any other file's name.
std::optional<SegmentName> ParseSegmentName(std::string_view file);
/// "2026-11-20", UTC.
std::string DateOf(std::chrono::system_clock::time_point time);

}  // namespace broker::ledger
