// broker/ledger/line_scanner.h: reads a line back, strictly, without building a tree of it.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace broker::ledger {

/// What chain, fold and filters need of a line. Views point into the line; texts are as they stand
/// there, escapes included. Fields that the line lacks are empty.
struct ScannedLine {
  uint64_t seq = 0;
  std::string_view prev;  // 64 lower-case hex digits
  std::string_view type, outcome, agent, time, log;
  std::optional<int64_t> generation;  // change.generation
  std::optional<int64_t> archived;    // change.archived
};

/// True for exactly what AppendLine writes: one object of at most kMaxLineBytes with sorted, unique
/// keys of [a-z0-9_], strings (no control characters, no escapes but \" and \\, valid UTF-8),
/// integers up to 2^53 - 1, arrays of strings, objects of strings and integers; no spaces, nothing
/// empty; with boot, id, log, nonce, outcome, prev, seq, tenant, time, type and v = 1. Fields and
/// types of later versions pass: the hash covers them. `line` is without its newline. On false
/// `*scanned` holds nothing of worth. Thread-safe; speed matters, `audit verify` runs it per entry.
bool ScanLine(std::string_view line, ScannedLine* scanned);

/// One member of a line's object, for copying chosen ones.
struct Member {
  std::string_view key;
  std::string_view value;  // raw JSON
};

/// Takes the first member off `*members`, the inside of a scanned line or of one of its objects
/// (braces cut off). Nothing at the end. REQUIRES: ScanLine accepted the line.
std::optional<Member> NextMember(std::string_view* members);

}  // namespace broker::ledger
