#include "sidecar/ledger/closed_segment.h"

#include <utility>

#include "broker/ledger/leaf.h"
#include "broker/ledger/line_scanner.h"
#include "sidecar/ledger/recovery.h"

namespace sidecar::ledger {

using broker::ErrorCode, broker::Fail, broker::Result, broker::Status;
using broker::ledger::LeafHex, broker::ledger::SegmentName;

ClosedSegment::ClosedSegment(SegmentName name, ipc::Fd file)
    : name_(std::move(name)), file_(std::move(file)) {}

Result<ClosedSegment> ClosedSegment::Open(Disk& disk, const SegmentName& name) {
  const std::string file = broker::ledger::FormatSegmentName(name);
  auto fd = disk.Open(file, Disk::How::kRead, false);
  if (!fd) return std::unexpected(fd.error());
  ClosedSegment opened(name, std::move(*fd));
  if (name.first_seq > 1) {
    auto base = EndBefore(disk, name);
    if (!base) return std::unexpected(base.error());
    opened.end_ = std::move(*base);
  }
  opened.end_.segment = file;
  opened.end_.offset = 0;
  return opened;
}

Result<bool> ClosedSegment::ReadOn(Disk& disk, size_t most) {
  const auto broken = [this] {
    return Fail(ErrorCode::kCorrupt, "chain broken behind entry " + std::to_string(end_.state.seq) +
                                         " in " + end_.segment);
  };
  if (!sha256_.empty()) return true;
  const auto block = disk.ReadAt(file_.get(), bytes_, most);
  if (!block) return std::unexpected(block.error());
  if (block->empty()) {
    sha256_ = digest_.Finish();
    return true;
  }
  const size_t whole = block->rfind('\n') + 1;
  if (whole == 0) return broken();
  std::string_view rest = std::string_view(*block).substr(0, whole);
  digest_.Update(rest);
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    broker::ledger::ScannedLine scanned;
    if (!ScanLine(line, &scanned) || scanned.seq != end_.state.seq + 1 ||
        scanned.prev != LeafHex(end_.state.leaf)) {
      return broken();
    }
    Fold(scanned, broker::ledger::LeafHash(line), &end_.state);
    end_.offset = bytes_;
    bytes_ += line.size() + 1;
    rest.remove_prefix(line.size() + 1);
  }
  return false;
}

Status ClosedSegment::CheckInPlace(const Disk& disk) const {
  return disk.CheckInPlace(end_.segment, file_.get(), bytes_);
}

}  // namespace sidecar::ledger
