// sidecar/ledger/closed_segment.h: a segment that nobody appends to any more, read piece by piece.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "broker/ledger/head.h"
#include "broker/ledger/segment_name.h"
#include "broker/ledger/sha256.h"
#include "sidecar/ledger/disk.h"

namespace sidecar::ledger {

/// Its chain, its digest and what all entries up to its end amount to. Between two pieces entries
/// may be appended to a later segment. Not thread-safe.
class ClosedSegment {
 public:
  /// Errors: kUnavailable · kCorrupt (what the entries before amount to was not kept).
  static broker::Result<ClosedSegment> Open(Disk& disk, const broker::ledger::SegmentName& name);

  /// Reads `most` bytes of it at most; whether it is at its end. REQUIRES: a line fits into `most`.
  /// Errors: kUnavailable · kCorrupt (the chain is broken).
  broker::Result<bool> ReadOn(Disk& disk, size_t most);
  /// Whether the file of that name is still the one that was read, and no longer than that.
  [[nodiscard]] broker::Status CheckInPlace(const Disk& disk) const;

  [[nodiscard]] const broker::ledger::SegmentName& name() const { return name_; }
  // Once it is at its end:
  [[nodiscard]] const broker::ledger::Head& end() const { return end_; }
  [[nodiscard]] const std::string& sha256() const { return sha256_; }
  [[nodiscard]] uint64_t bytes() const { return bytes_; }

 private:
  ClosedSegment(broker::ledger::SegmentName name, ipc::Fd file);

  broker::ledger::SegmentName name_;
  ipc::Fd file_;
  broker::ledger::Head end_;
  broker::ledger::Sha256 digest_;
  std::string sha256_;  // empty: not at its end
  uint64_t bytes_ = 0;
};

}  // namespace sidecar::ledger
