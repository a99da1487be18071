// sidecar/ledger/recovery.h: what a start, or a resume, makes of the files it finds.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "broker/ledger/head.h"
#include "broker/ledger/segment_name.h"
#include "sidecar/ledger/disk.h"

namespace sidecar::ledger {

/// Something that a start put right; each becomes a ledger.recovered entry.
struct Repair {
  std::string reason;    // "torn_tail" | "unacknowledged" | "head_missing" | "head_damaged"
  std::string file;      // where the bytes were moved; empty for the head
  std::string moved_as;  // the name under which they are until recorded, then `file`
  uint64_t bytes = 0;
  std::string sha256;  // hex, of the moved bytes
};

struct Recovered {
  broker::ledger::Head head;  // last line, wherever it lies; segment empty when there is none
  std::vector<broker::ledger::SegmentName> segments;  // in order
  std::vector<Repair> repairs;
};

/// Reads what stands behind the head file's line (all, without one), checks the chain, moves a torn
/// tail aside. With `acknowledged` (a resume) that takes the head file's place, and everything
/// behind its line was never acknowledged: after a failed sync it may be in the page cache only, so
/// it is moved aside too, whole lines or not.
/// Errors: kCorrupt (lines changed, missing, or out of order: nobody may append to that) ·
/// kUnavailable (could not read or write).
broker::Result<Recovered> Recover(Disk& disk, const broker::ledger::Head* acknowledged);

/// What all entries before `first` amount to: of the newest `.end` file of an earlier segment.
/// Errors: kCorrupt (there is none, or it ends elsewhere) · kUnavailable.
broker::Result<broker::ledger::Head> EndBefore(Disk& disk,
                                               const broker::ledger::SegmentName& first);

/// After the repair's entry is durable.
broker::Status MarkRecorded(Disk& disk, const Repair& repair);

}  // namespace sidecar::ledger
