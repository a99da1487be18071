// sidecar/ledger/archiver.h: closed segments, from the ledger's folder to its archive folder.
#pragma once
#include <cstdint>
#include <string>

#include "broker/ledger/entry.h"
#include "broker/ledger/head.h"
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
  Archiver(Segments& segments, Writer& writer) : segments_(segments), writer_(writer) {}

  /// `{"before":"2026-10-01","dry_run":false}`: segments begun before that day (UTC). Answers
  /// `{"left":N}`, with `moved{file,first_seq,last_seq,leaf,sha256,bytes}` of the one that was
  /// moved now and `left` more; of a dry run `{"left":N,"first":"…","last":"…","last_seq":N}`; or
  /// `{"error":"…"}`. With none left, what was moved is recorded as done.
  std::string Answer(const std::string& order);

 private:
  Segments& segments_;
  Writer& writer_;
};

/// All up to the entry `last` are in the archive.
broker::ledger::Entry ArchivedEntry(uint64_t last);

/// At a start: moves what an intent names and a crash left. True where ArchivedEntry of the intent
/// is owed.
bool FinishMoves(Segments& segments, const broker::ledger::Head& head);

}  // namespace sidecar::ledger
