// sidecar/ledger/archiver.h: closed segments, from the ledger's folder to its archive folder.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "broker/ledger/entry.h"
#include "broker/ledger/head.h"
#include "sidecar/ledger/closed_segment.h"
#include "sidecar/ledger/segments.h"

namespace sidecar::ledger {

class Writer;

/// Moves the oldest segment, one at a time, so that what is archived is always a prefix, and never
/// the newest. Nothing is copied, nothing removed: a segment is in one folder or the other. Its
/// steps, each durable before the next: the segment is read and found whole; what all entries up to
/// its end amount to is kept in a `.end` file; a pending ledger.archived entry says which segment
/// goes, with its digest; the head file is synced; the segment is moved. A crash between leaves a
/// ledger that starts, and FinishMoves does what the entry says. Not thread-safe: the writer's.
class Archiver {
 public:
  // Of one step, for which appends wait: some milliseconds, however large the segment.
  static constexpr size_t kPieceBytes = size_t{1} << 20;

  Archiver(Segments& segments, Writer& writer, size_t piece_bytes = kPieceBytes)
      : segments_(segments), writer_(writer), piece_bytes_(piece_bytes) {}

  /// `{"before":"2026-10-01","dry_run":false}`: segments begun before that day (UTC). Answers
  /// `{"left":N}`, with `moved{file,first_seq,last_seq,leaf,sha256,bytes}` of the one that was
  /// moved now and `left` more; of a dry run `{"left":N,"first":"…","last":"…","last_seq":N}`; or
  /// `{"error":"…"}`. With none left, what was moved is recorded as done. Nothing while the segment
  /// is read: no more than a piece of it was, and entries may be appended before the next step,
  /// which takes the same order.
  std::optional<std::string> Step(const std::string& order);

 private:
  broker::Result<bool> ReadPiece();

  Segments& segments_;
  Writer& writer_;
  const size_t piece_bytes_;
  std::optional<ClosedSegment> reading_;
};

/// All up to the entry `last` are in the archive.
broker::ledger::Entry ArchivedEntry(uint64_t last);

/// At a start: moves what an intent names and a crash left. True where ArchivedEntry of the intent
/// is owed.
bool FinishMoves(Segments& segments, const broker::ledger::Head& head);

}  // namespace sidecar::ledger
