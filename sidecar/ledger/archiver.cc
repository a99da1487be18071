#include "sidecar/ledger/archiver.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "broker/base/strict_json.h"
#include "broker/ledger/canonical_text.h"
#include "broker/ledger/leaf.h"
#include "broker/ledger/line_scanner.h"
#include "sidecar/ledger/recovery.h"
#include "sidecar/ledger/writer.h"

namespace sidecar::ledger {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result, broker::Status;
using broker::ledger::Entry, broker::ledger::EntryType, broker::ledger::FormatSegmentName,
    broker::ledger::Head, broker::ledger::kEndSuffix, broker::ledger::Outcome,
    broker::ledger::SegmentName;
using nlohmann::json;

// A crash may leave it behind; the next archive writes it anew.
constexpr const char* kNewEnd = "end.new";

struct Order {
  std::string before;
  bool dry_run = false;
};

std::optional<Order> ReadOrder(const std::string& text) {
  const auto order = broker::ParseStrictJson(text);
  if (!order || !order->is_object() || order->size() != 2) return std::nullopt;
  const auto before = order->find("before"), dry_run = order->find("dry_run");
  if (before == order->end() || !before->is_string() || dry_run == order->end() ||
      !dry_run->is_boolean()) {
    return std::nullopt;
  }
  return Order{before->get<std::string>(), dry_run->get<bool>()};
}

// How many of the first ones may go: closed, and begun before that day.
size_t Eligible(const std::vector<SegmentName>& names, const std::string& before) {
  if (names.empty()) return 0;
  const auto stays = [&before](const SegmentName& name) { return name.date >= before; };
  const auto first = std::ranges::find_if(names.begin(), names.end() - 1, stays);
  return static_cast<size_t>(first - names.begin());
}

// A crash came behind its naming.
bool SaysTheSame(Disk& disk, const std::string& name, const Head& end) {
  const auto fd = disk.Open(name, Disk::How::kRead, false);
  const std::string wanted = FormatHead(end);
  const auto kept = fd ? disk.ReadAt(fd->get(), 0, wanted.size() + 1) : std::unexpected(fd.error());
  return kept && *kept == wanted;
}

// Under its name with all of its content, or not at all.
Status KeepEnd(Disk& disk, const Head& end) {
  auto fd = disk.Open(kNewEnd, Disk::How::kOverwrite, true);
  if (!fd && fd.error().detail.ends_with("EEXIST")) {
    fd = disk.Open(kNewEnd, Disk::How::kOverwrite, false);
  }
  if (!fd) return std::unexpected(fd.error());
  if (Status done = disk.Overwrite(fd->get(), FormatHead(end)); !done) return done;
  if (Status done = disk.Sync(fd->get()); !done) return done;
  const std::string name = end.segment + std::string(kEndSuffix);
  const Status named = disk.Rename(kNewEnd, name);
  if (!named && !named.error().detail.ends_with("EEXIST")) return named;
  if (!named && !SaysTheSame(disk, name, end)) {
    return Fail(ErrorCode::kCorrupt, name + " is not what the segment amounts to");
  }
  return disk.SyncFolder();
}

// Those that no segment here needs any more go where the segments behind them went.
void MoveOldEnds(Disk& disk, const SegmentName& moved) {
  const auto names = disk.List();
  if (!names) return;
  for (const std::string& name : *names) {
    if (!name.ends_with(kEndSuffix)) continue;
    const auto segment =
        broker::ledger::ParseSegmentName(name.substr(0, name.size() - kEndSuffix.size()));
    if (!segment || *segment >= moved) continue;
    [[maybe_unused]] const Status tidied = disk.MoveToArchive(name);  // else the next time
  }
}

Entry IntentOf(const ClosedSegment& closed) {
  const Head& end = closed.end();
  Entry entry{.type = EntryType::kLedgerArchived, .outcome = Outcome::kPending};
  entry.change["file"] = end.segment;
  entry.change["first"] = static_cast<int64_t>(closed.name().first_seq);
  entry.change["archived"] = static_cast<int64_t>(end.state.seq);
  entry.change["leaf"] = broker::ledger::LeafHex(end.state.leaf);
  entry.change["sha256"] = closed.sha256();
  entry.change["bytes"] = static_cast<int64_t>(closed.bytes());
  entry.change["state_sha256"] = broker::ledger::Sha256Hex(FormatHead(end));
  return entry;
}

// Of its last entry only the next one knows what it was.
bool GoesOnIn(Disk& disk, const SegmentName& next, const Head& end, const Head& written) {
  const auto fd = disk.Open(FormatSegmentName(next), Disk::How::kRead, false);
  if (!fd) return false;
  const auto block = disk.ReadAt(fd->get(), 0, broker::ledger::kMaxLineBytes);
  if (!block) return false;
  broker::ledger::ScannedLine first;
  if (block->empty()) return written.state.leaf == end.state.leaf;  // begun, and no line yet
  return ScanLine(std::string_view(*block).substr(0, block->find('\n')), &first) &&
         first.prev == broker::ledger::LeafHex(end.state.leaf);
}

// What was read is still what stands there: others had their turn since.
Result<json> MoveFirst(Segments& segments, Writer& writer, const ClosedSegment& closed) {
  const SegmentName next = segments.names()[1];
  const Head& end = closed.end();
  Disk& disk = segments.disk();
  if (Status same = closed.CheckInPlace(disk); !same) return std::unexpected(same.error());
  if (end.state.seq + 1 != next.first_seq) {
    return Fail(ErrorCode::kCorrupt, "entries missing before " + FormatSegmentName(next));
  }
  if (!GoesOnIn(disk, next, end, writer.head())) {
    return Fail(ErrorCode::kCorrupt,
                "the last entry before " + FormatSegmentName(next) + " was changed");
  }
  if (Status done = KeepEnd(disk, end); !done) return std::unexpected(done.error());
  if (Status done = writer.AppendOwn(IntentOf(closed)); !done) {
    return std::unexpected(done.error());
  }
  if (Status done = segments.SyncHead(writer.head()); !done) return std::unexpected(done.error());
  if (Status done = disk.MoveToArchive(end.segment); !done) {
    return std::unexpected(done.error());
  }
  segments.DropFirst();
  MoveOldEnds(disk, closed.name());
  return json{{"file", end.segment},       {"first_seq", closed.name().first_seq},
              {"last_seq", end.state.seq}, {"leaf", broker::ledger::LeafHex(end.state.leaf)},
              {"sha256", closed.sha256()}, {"bytes", closed.bytes()}};
}

}  // namespace

Entry ArchivedEntry(uint64_t last) {
  Entry entry{.type = EntryType::kLedgerArchived, .outcome = Outcome::kSuccess};
  entry.change["archived"] = static_cast<int64_t>(last);
  return entry;
}

bool FinishMoves(Segments& segments, const Head& head) {
  const broker::ledger::State& state = head.state;
  if (state.archive_intended <= state.archived || !segments.SyncHead(head)) return false;
  while (segments.names().size() > 1 &&
         segments.names()[1].first_seq <= state.archive_intended + 1) {
    // Without what was kept of it the segment is needed here.
    if (!EndBefore(segments.disk(), segments.names()[1])) return false;
    const SegmentName name = segments.names().front();
    if (!segments.disk().MoveToArchive(FormatSegmentName(name))) return false;
    segments.DropFirst();
    MoveOldEnds(segments.disk(), name);
  }
  return true;
}

// Whether the first segment was read to its end. It stays the first one until it is moved.
Result<bool> Archiver::ReadPiece() {
  const SegmentName& first = segments_.names().front();
  if (!reading_ || reading_->name() != first) {
    auto opened = ClosedSegment::Open(segments_.disk(), first);
    if (!opened) return std::unexpected(opened.error());
    reading_ = std::move(*opened);
  }
  return reading_->ReadOn(segments_.disk(), piece_bytes_);
}

std::optional<std::string> Archiver::Step(const std::string& text) {
  const auto failed = [this](const std::string& why) {
    reading_.reset();
    return json{{"error", why}}.dump();
  };
  const auto order = ReadOrder(text);
  if (!order) return failed("no order");
  if (!writer_.latch().empty()) return failed("latched: " + writer_.latch());
  const std::vector<SegmentName>& names = segments_.names();
  const size_t count = Eligible(names, order->before);
  if (order->dry_run) {
    json would{{"left", count}};
    if (count > 0) {
      would["first"] = FormatSegmentName(names.front());
      would["last"] = FormatSegmentName(names[count - 1]);
      would["last_seq"] = names[count].first_seq - 1;
    }
    return would.dump();
  }
  json answer{{"left", count > 0 ? count - 1 : 0}};
  if (count > 0) {
    const auto whole = ReadPiece();
    if (!whole) return failed(whole.error().detail);
    if (!*whole) return std::nullopt;
    auto moved = MoveFirst(segments_, writer_, *reading_);
    if (!moved) return failed(moved.error().detail);
    reading_.reset();
    answer["moved"] = std::move(*moved);
  }
  const broker::ledger::State& state = writer_.head().state;
  if (count <= 1 && state.archive_intended > state.archived) {
    if (Status done = writer_.AppendOwn(ArchivedEntry(state.archive_intended)); !done) {
      return failed(done.error().detail);
    }
  }
  return answer.dump();
}

}  // namespace sidecar::ledger
