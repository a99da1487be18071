#include "sidecar/ledger/writer.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "broker/ledger/canonical_text.h"
#include "broker/ledger/entry_names.h"
#include "broker/ledger/line_scanner.h"
#include "broker/ledger/segment_name.h"
#include "sidecar/ledger/archiver.h"

namespace sidecar::ledger {

using broker::Error, broker::ErrorCode, broker::Status;
using broker::ledger::Entry, broker::ledger::EntryType, broker::ledger::Head,
    broker::ledger::kMaxLineBytes, broker::ledger::LeafHash, broker::ledger::Outcome;

namespace {

Entry RecoveredEntry(std::string reason) {
  return {.type = EntryType::kLedgerRecovered,
          .outcome = Outcome::kSuccess,
          .reason = std::move(reason)};
}

}  // namespace

void Writer::Start() { Reopen(nullptr, {}); }

void Writer::Resume() {
  if (state_of_latch_ == Latch::kOpen || state_.closed) return;
  // What was acknowledged is known from memory, as long as there is a memory of it.
  const Head acknowledged = acknowledged_;
  const bool known = opened_once_ && !acknowledged.segment.empty();
  Reopen(known ? &acknowledged : nullptr, latch_);
}

void Writer::Reopen(const Head* acknowledged, std::string resumed_from) {
  auto recovered = segments_.Open(acknowledged);
  if (!recovered) return Close(Latch::kClosed, recovered.error().detail);
  opened_once_ = true;
  acknowledged_ = recovered->head;
  state_ = acknowledged_.state;
  if (state_.closed) return CloseForGood();
  // The first segment is begun now, so that a folder that cannot be written shows at once.
  const auto today = broker::ledger::DateOf(ports_.clock.WallNow());
  if (!segments_.has_file()) {
    const Status begun = segments_.Begin(today, state_);
    if (!begun) return Close(Latch::kClosed, begun.error().detail);
  }
  state_of_latch_ = Latch::kOpen;
  latch_.clear();
  if (!resumed_from.empty()) ports_.log.Info("ledger_resumed", {{"after", resumed_from}});
  Record(recovered->repairs, resumed_from);
}

// The entries that a start or a resume owes; without any, nothing is written.
void Writer::Record(const std::vector<Repair>& repairs, const std::string& resumed_from) {
  // Out of the reserve they would use it up, resume by resume.
  if (Room(/*essential=*/false)) return;
  for (const Repair& repair : repairs) {
    Entry entry = RecoveredEntry(repair.reason);
    if (!repair.file.empty()) {
      entry.change["file"] = repair.file;
      entry.change["bytes"] = static_cast<int64_t>(repair.bytes);
      entry.change["sha256"] = repair.sha256;
    }
    AddOwn(entry);
  }
  if (!resumed_from.empty()) {
    Entry entry = RecoveredEntry("resumed");
    entry.change["latch"] = resumed_from;
    AddOwn(entry);
  }
  // A crash came between an archive's intent and its end.
  if (FinishMoves(segments_, acknowledged_)) AddOwn(ArchivedEntry(state_.archive_intended));
  Commit();
  SaveHead();
  if (state_of_latch_ == Latch::kClosed) return;
  for (const Repair& repair : repairs) {
    const Status marked = MarkRecorded(segments_.disk(), repair);
    if (!marked) return Close(Latch::kClosed, marked.error().detail);
  }
}

bool Writer::AddOwn(const Entry& entry) {
  Answer nobody;
  const auto error = TryAdd(Origin::kLedger, entry, &nobody);
  if (error) ports_.log.Warn("ledger_entry_not_written", {{"why", error->detail}});
  return !error;
}

Status Writer::AppendOwn(const Entry& entry) {
  if (!latch_.empty()) return broker::Fail(ErrorCode::kUnavailable, latch_);
  if (!AddOwn(entry)) {
    return broker::Fail(ErrorCode::kUnavailable, latch_.empty() ? "not written" : latch_);
  }
  Commit();
  if (state_of_latch_ == Latch::kClosed) return broker::Fail(ErrorCode::kUnavailable, latch_);
  return {};
}

void Writer::Add(const Ticket& ticket, Origin origin, const Entry& entry) {
  Answer answer{.ticket = ticket};
  answer.error = TryAdd(origin, entry, &answer);
  answers_.push_back(std::move(answer));
}

std::optional<Error> Writer::TryAdd(Origin origin, const Entry& entry, Answer* answer) {
  if (!MayAppend(origin, entry.type)) {
    return Error{ErrorCode::kDenied, "this role may not write such an entry"};
  }
  if (state_.closed) return Error{ErrorCode::kDenied, ClosedText(state_)};
  const bool essential = IsEssential(entry.type);
  if (state_of_latch_ == Latch::kClosed) return Error{ErrorCode::kUnavailable, latch_};
  if (state_of_latch_ == Latch::kEssentialOnly && !essential) {
    return Error{ErrorCode::kUnavailable, latch_};
  }
  if (IsStopped(state_, entry.type, entry.agent)) {
    return Error{ErrorCode::kDenied, "stopped by a kill entry"};
  }
  const auto now = ports_.clock.WallNow();
  const bool is_count = origin == Origin::kLedger;
  if (!is_count && floods_.MustCount(entry)) return CountOnly(entry, now);
  if (batch_.empty()) {
    Status begun = segments_.Begin(broker::ledger::DateOf(now), state_);
    // On a full disk kill and stop entries still go to the old segment's reserve.
    if (!begun) {
      Close(Latch::kEssentialOnly, begun.error().detail);
      if (!essential) return Error{ErrorCode::kUnavailable, latch_};
    }
  }
  // Nothing follows the last entry, the counts of refusals least of all.
  const bool last =
      entry.type == EntryType::kDaemonStopped || entry.type == EntryType::kInstanceTornDown;
  if (last) WriteCounts(/*all=*/true);
  if (auto no_room = Room(essential)) return no_room;
  if (Status chained = Chain(entry, now, answer); !chained) return chained.error();
  if (!is_count) floods_.Wrote(entry, ports_.clock.Now());
  return {};
}

// What could not be written is not counted either: its count could not be written.
std::optional<Error> Writer::CountOnly(const Entry& entry, broker::Clock::Wall now) {
  std::string unused;
  if (Status written = AppendLine(entry, PlaceOfNext(now), &unused); !written) {
    return written.error();
  }
  floods_.Count(entry, now);
  return {};
}

std::optional<Error> Writer::Room(bool essential) {
  const Status room = segments_.MakeRoom(batch_.size() + kMaxLineBytes, essential);
  if (room) return {};
  Close(Latch::kEssentialOnly, room.error().detail);
  return Error{ErrorCode::kUnavailable, latch_};
}

broker::ledger::Place Writer::PlaceOfNext(broker::Clock::Wall now) const {
  return {.seq = state_.seq + 1,
          .time = now,
          .prev = state_.leaf,
          .log = identity_.log,
          .tenant = identity_.tenant,
          .boot = identity_.boot};
}

Status Writer::Chain(const Entry& entry, broker::Clock::Wall now, Answer* answer) {
  broker::ledger::Place place = PlaceOfNext(now);
  FillRandom(place.id_random);
  FillRandom(place.nonce);
  const size_t start = batch_.size();
  if (Status written = AppendLine(entry, place, &batch_); !written) return written;
  const std::string_view line = std::string_view(batch_).substr(start);
  const broker::ledger::Leaf leaf = LeafHash(line);
  broker::ledger::ScannedLine scanned{.seq = place.seq,
                                      .type = broker::ledger::EntryTypeName(entry.type)};
  // What changes the state is read back from the line: a start will see nothing else.
  if (broker::ledger::ChangesState(scanned.type) && !ScanLine(line, &scanned)) {
    batch_.resize(start);
    return broker::Fail(ErrorCode::kInvalidRequest, "entry does not read back");
  }
  Fold(scanned, leaf, &state_);
  last_line_at_ = start;
  batch_.push_back('\n');
  answer->seq = place.seq;
  answer->leaf = leaf;
  return {};
}

const std::vector<Answer>& Writer::Commit() {
  if (!batch_.empty()) {
    const uint64_t begins_at = segments_.size();
    if (Status done = segments_.Commit(batch_); done) {
      acknowledged_ = {state_, segments_.file_name(), begins_at + last_line_at_};
      if (state_.closed) CloseForGood();
    } else {
      Close(Latch::kClosed, done.error().detail);
      FailBatch();
    }
    batch_.clear();
  }
  counts_in_batch_.clear();
  handed_out_.clear();
  std::swap(handed_out_, answers_);
  return handed_out_;
}

void Writer::FailBatch() {
  for (Answer& answer : answers_) {
    if (answer.seq == 0) continue;  // refused or counted: that stands
    answer = {.ticket = answer.ticket, .error = Error{ErrorCode::kUnavailable, latch_}};
  }
  for (const Entry& count : counts_in_batch_) floods_.PutBack(count, ports_.clock.Now());
}

void Writer::WriteCounts(bool all) {
  const auto now = ports_.clock.Now();
  for (Entry& count : floods_.TakeCounts(now, all)) {
    if (AddOwn(count)) {
      counts_in_batch_.push_back(std::move(count));
    } else {
      floods_.PutBack(count, now);
    }
  }
}

void Writer::SaveHead() {
  const bool latched = state_of_latch_ == Latch::kClosed && !acknowledged_.state.closed;
  if (latched || acknowledged_.state.seq == 0) return;
  if (Status saved = segments_.SaveHead(acknowledged_); !saved) {
    Close(Latch::kClosed, saved.error().detail);
  }
}

// By its last entry: no resume opens it, and no restart.
void Writer::CloseForGood() {
  state_of_latch_ = Latch::kClosed;
  latch_ = ClosedText(state_);
  ports_.log.Info("ledger_closed", {{"seq", state_.seq}});
}

void Writer::Close(Latch how, const std::string& why) {
  if (state_of_latch_ != how || latch_ != why) {
    ports_.log.Error("ledger_latched",
                     {{"why", why}, {"remedy", "mend the cause, then: purser ledger resume"}});
  }
  state_of_latch_ = how;
  latch_ = why;
}

void Writer::FillRandom(std::span<uint8_t> out) {
  if (random_used_ + out.size() > random_.size()) {
    ports_.random.Fill(random_);
    random_used_ = 0;
  }
  std::memcpy(out.data(), random_.data() + random_used_, out.size());
  random_used_ += out.size();
}

}  // namespace sidecar::ledger
