#include "sidecar/ledger/archiver.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "broker/base/strict_json.h"
#include "broker/ledger/canonical_text.h"
#include "broker/ledger/leaf.h"
#include "broker/ledger/line_scanner.h"
#include "broker/ledger/sha256.h"
#include "sidecar/ledger/recovery.h"
#include "sidecar/ledger/writer.h"

namespace sidecar::ledger {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result, broker::Status;
using broker::ledger::Entry, broker::ledger::EntryType, broker::ledger::FormatSegmentName,
    broker::ledger::Head, broker::ledger::kEndSuffix, broker::ledger::Outcome,
    broker::ledger::SegmentName;
using nlohmann::json;

constexpr size_t kBlockBytes = size_t{1} << 20;
static_assert(kBlockBytes > broker::ledger::kMaxLineBytes);
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

// One segment, read to its end.
struct Closed {
  Head end;
  std::string sha256;
  uint64_t bytes = 0;
};

Result<Closed> ReadClosed(Disk& disk, const SegmentName& name) {
  Closed closed;
  if (name.first_seq > 1) {
    auto base = EndBefore(disk, name);
    if (!base) return std::unexpected(base.error());
    closed.end = std::move(*base);
  }
  const std::string file = FormatSegmentName(name);
  closed.end.segment = file;
  closed.end.offset = 0;
  const auto fd = disk.Open(file, Disk::How::kRead, false);
  if (!fd) return std::unexpected(fd.error());
  const auto broken = [&] {
    return Fail(ErrorCode::kCorrupt, "chain broken behind entry " +
                                         std::to_string(closed.end.state.seq) + " in " + file);
  };
  broker::ledger::Sha256 digest;
  while (true) {
    const auto block = disk.ReadAt(fd->get(), closed.bytes, kBlockBytes);
    if (!block) return std::unexpected(block.error());
    if (block->empty()) break;
    const size_t whole = block->rfind('\n') + 1;
    if (whole == 0) return broken();
    std::string_view rest = std::string_view(*block).substr(0, whole);
    digest.Update(rest);
    while (!rest.empty()) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      broker::ledger::ScannedLine scanned;
      if (!ScanLine(line, &scanned) || scanned.seq != closed.end.state.seq + 1 ||
          scanned.prev != broker::ledger::LeafHex(closed.end.state.leaf)) {
        return broken();
      }
      Fold(scanned, broker::ledger::LeafHash(line), &closed.end.state);
      closed.end.offset = closed.bytes;
      closed.bytes += line.size() + 1;
      rest.remove_prefix(line.size() + 1);
    }
  }
  closed.sha256 = digest.Finish();
  return closed;
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
  const Status named = disk.Rename(kNewEnd, end.segment + std::string(kEndSuffix));
  // A crash came behind this step: the file says the same.
  if (!named && !named.error().detail.ends_with("EEXIST")) return named;
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

Entry IntentOf(const SegmentName& name, const Closed& closed) {
  Entry entry{.type = EntryType::kLedgerArchived, .outcome = Outcome::kPending};
  entry.change["file"] = closed.end.segment;
  entry.change["first"] = static_cast<int64_t>(name.first_seq);
  entry.change["archived"] = static_cast<int64_t>(closed.end.state.seq);
  entry.change["leaf"] = broker::ledger::LeafHex(closed.end.state.leaf);
  entry.change["sha256"] = closed.sha256;
  entry.change["bytes"] = static_cast<int64_t>(closed.bytes);
  entry.change["state_sha256"] = broker::ledger::Sha256Hex(FormatHead(closed.end));
  return entry;
}

Result<json> MoveFirst(Segments& segments, Writer& writer) {
  const SegmentName name = segments.names().front();
  const SegmentName next = segments.names()[1];
  Disk& disk = segments.disk();
  const auto closed = ReadClosed(disk, name);
  if (!closed) return std::unexpected(closed.error());
  if (closed->end.state.seq + 1 != next.first_seq) {
    return Fail(ErrorCode::kCorrupt, "entries missing before " + FormatSegmentName(next));
  }
  if (Status done = KeepEnd(disk, closed->end); !done) return std::unexpected(done.error());
  if (Status done = writer.AppendOwn(IntentOf(name, *closed)); !done) {
    return std::unexpected(done.error());
  }
  if (Status done = segments.SyncHead(writer.head()); !done) return std::unexpected(done.error());
  if (Status done = disk.MoveToArchive(closed->end.segment); !done) {
    return std::unexpected(done.error());
  }
  segments.DropFirst();
  MoveOldEnds(disk, name);
  return json{{"file", closed->end.segment},
              {"first_seq", name.first_seq},
              {"last_seq", closed->end.state.seq},
              {"leaf", broker::ledger::LeafHex(closed->end.state.leaf)},
              {"sha256", closed->sha256},
              {"bytes", closed->bytes}};
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

std::string Archiver::Answer(const std::string& text) {
  const auto failed = [](const std::string& why) { return json{{"error", why}}.dump(); };
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
    auto moved = MoveFirst(segments_, writer_);
    if (!moved) return failed(moved.error().detail);
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
