#include "sidecar/ledger/recovery.h"

#include <algorithm>

#include "broker/ledger/canonical_text.h"
#include "broker/ledger/leaf.h"
#include "broker/ledger/line_scanner.h"

namespace sidecar::ledger {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result, broker::Status;
using broker::ledger::Head, broker::ledger::kHeadFile, broker::ledger::kMaxLineBytes,
    broker::ledger::kTornNewSuffix, broker::ledger::kTornSuffix, broker::ledger::LeafHash,
    broker::ledger::LeafHex, broker::ledger::ScannedLine, broker::ledger::ScanLine,
    broker::ledger::SegmentName;

constexpr size_t kBlockBytes = size_t{1} << 20;  // a start reads in pieces of this size
static_assert(kBlockBytes > kMaxLineBytes);

class Recovery {
 public:
  explicit Recovery(Disk& disk) : disk_(disk) {}

  Result<Recovered> Run(const Head* acknowledged) {
    if (Status listed = List(); !listed) return std::unexpected(listed.error());
    if (Status head = TakeHead(acknowledged); !head) return std::unexpected(head.error());
    size_t at = 0;
    uint64_t offset = 0;
    if (!known_ && !out_.segments.empty() && out_.segments.front().first_seq > 1) {
      if (Status base = TakeBase(); !base) return std::unexpected(base.error());
    }
    if (known_) {
      if (Status found = FindKnownLine(&at, &offset); !found) {
        return std::unexpected(found.error());
      }
    }
    for (; at < out_.segments.size(); ++at, offset = 0) {
      if (Status read = Segment(at, offset, acknowledged != nullptr); !read) {
        return std::unexpected(read.error());
      }
    }
    if (head_lost_ != nullptr && out_.head.state.seq > 0) {
      out_.repairs.push_back({.reason = head_lost_});
    }
    return std::move(out_);
  }

 private:
  Status List() {
    const auto names = disk_.List();
    if (!names) return std::unexpected(names.error());
    for (const std::string& name : *names) {
      if (auto segment = broker::ledger::ParseSegmentName(name)) {
        out_.segments.push_back(std::move(*segment));
      } else if (name == kHeadFile) {
        has_head_ = true;
      } else if (name.ends_with(kTornNewSuffix)) {
        if (Status noted = NoteUnrecorded(name); !noted) return noted;
      }
    }
    std::ranges::sort(out_.segments);
    return {};
  }

  // Moved aside by a start that did not live to write its entry.
  Status NoteUnrecorded(const std::string& name) {
    const auto fd = disk_.Open(name, Disk::How::kRead, false);
    if (!fd) return std::unexpected(fd.error());
    const auto bytes = ReadAll(fd->get());
    if (!bytes) return std::unexpected(bytes.error());
    const std::string recorded = name.substr(0, name.size() - kTornNewSuffix.size());
    out_.repairs.push_back({"torn_tail", recorded + std::string(kTornSuffix), name, bytes->size(),
                            broker::ledger::Sha256Hex(*bytes)});
    return {};
  }

  Result<std::string> ReadAll(int fd, uint64_t offset = 0) {
    const auto size = disk_.Size(fd);
    if (!size) return std::unexpected(size.error());
    return disk_.ReadAt(fd, offset, *size > offset ? *size - offset : 0);
  }

  // Without a head and with the first segments archived: the lines go on from what was kept.
  Status TakeBase() {
    auto base = EndBefore(disk_, out_.segments.front());
    if (!base) return std::unexpected(base.error());
    out_.head = std::move(*base);
    return {};
  }

  Status TakeHead(const Head* acknowledged) {
    if (acknowledged != nullptr) {
      known_ = *acknowledged;
      return {};
    }
    if (!has_head_) {
      head_lost_ = "head_missing";
      return {};
    }
    const auto fd = disk_.Open(std::string(kHeadFile), Disk::How::kRead, false);
    if (!fd) return std::unexpected(fd.error());
    const auto bytes = ReadAll(fd->get());
    if (!bytes) return std::unexpected(bytes.error());
    auto head = broker::ledger::ParseHead(*bytes);
    if (head) {
      known_ = std::move(*head);
    } else {
      head_lost_ = "head_damaged";
    }
    return {};
  }

  // The line that the head names must be there, unchanged. `*at` and `*offset` then stand behind
  // it.
  Status FindKnownLine(size_t* at, uint64_t* offset) {
    const auto gone = [this](const char* what) {
      return Fail(ErrorCode::kCorrupt, std::string(what) + ": the head names entry " +
                                           std::to_string(known_->state.seq) + " in " +
                                           known_->segment);
    };
    const auto named = std::ranges::find_if(out_.segments, [this](const SegmentName& name) {
      return broker::ledger::FormatSegmentName(name) == known_->segment;
    });
    if (named == out_.segments.end()) return gone("segment missing");
    *at = static_cast<size_t>(named - out_.segments.begin());
    out_.head = *known_;
    if (known_->state.seq == 0) return {};  // taken before the first line: check from the start
    const auto fd = disk_.Open(known_->segment, Disk::How::kRead, false);
    if (!fd) return std::unexpected(fd.error());
    const auto bytes = disk_.ReadAt(fd->get(), known_->offset, kMaxLineBytes);
    if (!bytes) return std::unexpected(bytes.error());
    const size_t length = bytes->find('\n');
    if (length == std::string::npos) return gone("last entries missing");
    const std::string_view line = std::string_view(*bytes).substr(0, length);
    ScannedLine scanned;
    if (!ScanLine(line, &scanned) || scanned.seq != known_->state.seq ||
        LeafHash(line) != known_->state.leaf) {
      return gone("last entry changed");
    }
    *offset = known_->offset + length + 1;
    return {};
  }

  Status Segment(size_t at, uint64_t offset, bool cut_all) {
    const SegmentName& name = out_.segments[at];
    const std::string file = broker::ledger::FormatSegmentName(name);
    const auto fd = disk_.Open(file, Disk::How::kAppend, false);
    if (!fd) return std::unexpected(fd.error());
    if (offset == 0 && !cut_all) {
      if (name.first_seq != out_.head.state.seq + 1) {
        return Fail(ErrorCode::kCorrupt, "entries missing before " + file);
      }
      out_.head.segment = file;
      out_.head.offset = 0;
    }
    uint64_t end = offset;
    if (!cut_all) {
      if (Status folded = FoldLines(fd->get(), &end); !folded) return folded;
    }
    return Quarantine(fd->get(), file, end, at + 1 == out_.segments.size(), cut_all);
  }

  // Folds whole, chained lines from `*offset` on and leaves it where they end.
  Status FoldLines(int fd, uint64_t* offset) {
    while (true) {
      const auto block = disk_.ReadAt(fd, *offset, kBlockBytes);
      if (!block) return std::unexpected(block.error());
      std::string_view rest = *block;
      const size_t before = rest.size();
      while (true) {
        const size_t length = rest.find('\n');
        if (length == std::string_view::npos) break;
        const std::string_view line = rest.substr(0, length);
        ScannedLine scanned;
        if (!ScanLine(line, &scanned) || scanned.seq != out_.head.state.seq + 1 ||
            scanned.prev != LeafHex(out_.head.state.leaf)) {
          return {};
        }
        broker::ledger::Fold(scanned, LeafHash(line), &out_.head.state);
        out_.head.offset = *offset;
        *offset += length + 1;
        rest.remove_prefix(length + 1);
      }
      if (rest.size() == before) return {};  // no whole line left
    }
  }

  // What is left behind the good lines: nothing, a torn write, or damage that nobody may repair.
  Status Quarantine(int fd, const std::string& file, uint64_t end, bool last, bool cut_all) {
    const auto rest = ReadAll(fd, end);
    if (!rest) return std::unexpected(rest.error());
    if (rest->empty()) return {};
    if (!cut_all && (!last || HoldsEntry(*rest))) {
      return Fail(ErrorCode::kCorrupt, "chain broken behind entry " +
                                           std::to_string(out_.head.state.seq) + " in " + file);
    }
    const auto stem = FreeStem(file);
    if (!stem) return std::unexpected(stem.error());
    Repair repair{cut_all ? "unacknowledged" : "torn_tail", *stem + std::string(kTornSuffix),
                  *stem + std::string(kTornNewSuffix), rest->size(),
                  broker::ledger::Sha256Hex(*rest)};
    const auto aside = disk_.Open(repair.moved_as, Disk::How::kAppend, true);
    if (!aside) return std::unexpected(aside.error());
    if (Status s = disk_.Append(aside->get(), *rest); !s) return s;
    if (Status s = disk_.Sync(aside->get()); !s) return s;
    if (Status s = disk_.SyncFolder(); !s) return s;
    if (Status s = disk_.Truncate(fd, end); !s) return s;
    if (Status s = disk_.Sync(fd); !s) return s;
    out_.repairs.push_back(std::move(repair));
    return {};
  }

  // A torn write leaves part of a line, or blocks that never reached the disk: no whole entry.
  static bool HoldsEntry(std::string_view bytes) {
    while (true) {
      const size_t length = bytes.find('\n');
      if (length == std::string_view::npos) return false;
      ScannedLine scanned;
      if (ScanLine(bytes.substr(0, length), &scanned)) return true;
      bytes.remove_prefix(length + 1);
    }
  }

  // "2026-11-20.000000000041.jsonl.2": the segment, and the first number that is free.
  Result<std::string> FreeStem(const std::string& file) {
    const auto names = disk_.List();
    if (!names) return std::unexpected(names.error());
    for (int i = 1;; ++i) {
      std::string stem = file + "." + std::to_string(i);
      const auto taken = [&stem](const std::string& name) { return name.starts_with(stem + "."); };
      if (std::ranges::none_of(*names, taken)) return stem;
    }
  }

  Disk& disk_;
  Recovered out_;
  std::optional<Head> known_;
  bool has_head_ = false;
  const char* head_lost_ = nullptr;
};

}  // namespace

Result<Recovered> Recover(Disk& disk, const Head* acknowledged) {
  return Recovery(disk).Run(acknowledged);
}

Result<Head> EndBefore(Disk& disk, const SegmentName& first) {
  const auto names = disk.List();
  if (!names) return std::unexpected(names.error());
  std::string newest;
  for (const std::string& name : *names) {
    if (!name.ends_with(broker::ledger::kEndSuffix)) continue;
    const auto segment = broker::ledger::ParseSegmentName(
        name.substr(0, name.size() - broker::ledger::kEndSuffix.size()));
    if (segment && *segment < first && name > newest) newest = name;
  }
  const auto gone = [&first] {
    return Fail(ErrorCode::kCorrupt,
                "entries missing before " + broker::ledger::FormatSegmentName(first));
  };
  if (newest.empty()) return gone();
  const auto fd = disk.Open(newest, Disk::How::kRead, false);
  if (!fd) return std::unexpected(fd.error());
  const auto size = disk.Size(fd->get());
  const auto bytes = size ? disk.ReadAt(fd->get(), 0, *size) : std::unexpected(size.error());
  if (!bytes) return std::unexpected(bytes.error());
  auto head = broker::ledger::ParseHead(*bytes);
  if (!head || head->state.seq + 1 != first.first_seq) return gone();
  return head;
}

Status MarkRecorded(Disk& disk, const Repair& repair) {
  if (repair.moved_as.empty()) return {};
  return disk.Rename(repair.moved_as, repair.file);
}

}  // namespace sidecar::ledger
