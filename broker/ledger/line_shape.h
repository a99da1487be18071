// broker/ledger/line_shape.h: reads lines that differ from an earlier one in their values only.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/ledger/line_scanner.h"

namespace broker::ledger {

/// A line that ScanLine accepted, taken apart into its values and what stands between them. A line
/// with the same bytes between its values, and with values as ScanLine takes them, is as good, and
/// this is seen in half the time of a scan.
class LineShape {
 public:
  /// Matches nothing.
  LineShape() = default;
  /// REQUIRES: ScanLine accepted `line`, and filled `scanned`.
  LineShape(std::string_view line, const ScannedLine& scanned);

  /// True only where ScanLine is true, and then with the same `*scanned`. False says nothing.
  bool Match(std::string_view line, ScannedLine* scanned) const;

 private:
  enum class Kind : uint8_t { kText, kNumber, kSeq };
  struct Value {
    size_t before;  // bytes between the value before this one and this one
    Kind kind;
    std::string_view ScannedLine::* place;  // of a text; null: none of ScannedLine's
  };

  std::string between_;  // all bytes that are no value's
  std::vector<Value> values_;
};

/// ScanLine for one line of a ledger after the other. Not thread-safe.
class LineReader {
 public:
  bool Scan(std::string_view line, ScannedLine* scanned);

 private:
  // Ledgers have few: entries of one type and outcome, for callers of one kind, have the same keys.
  static constexpr size_t kShapes = 4;
  std::array<LineShape, kShapes> shapes_;
  size_t latest_ = 0;  // what matched, or was learned, last
  size_t oldest_ = 0;  // what is forgotten next
};

}  // namespace broker::ledger
