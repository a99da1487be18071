#include "sidecar/ledger/segments.h"

#include <algorithm>

namespace sidecar::ledger {

using broker::Result, broker::Status;
using broker::ledger::Head, broker::ledger::kHeadFile, broker::ledger::SegmentName;

namespace {

// A crash may leave these behind; the next start goes on with them.
constexpr std::string_view kNewHeadFile = "head.new";
constexpr std::string_view kNewSegment = "segment.new";

}  // namespace

Result<Recovered> Segments::Open(const Head* acknowledged) {
  file_.Reset();
  head_.Reset();
  auto recovered = Recover(disk_, acknowledged);
  if (!recovered) return recovered;
  names_ = recovered->segments;
  if (names_.empty()) return recovered;
  const std::string file = broker::ledger::FormatSegmentName(names_.back());
  auto fd = disk_.Open(file, Disk::How::kAppend, false);
  if (!fd) return std::unexpected(fd.error());
  const auto size = disk_.Size(fd->get());
  if (!size) return std::unexpected(size.error());
  // Lines of a predecessor that died between write and sync become part of the chain only now.
  if (Status synced = disk_.Sync(fd->get()); !synced) return std::unexpected(synced.error());
  Head head = recovered->head;
  if (head.state.seq == 0) head.segment = file;
  if (Status opened = OpenHead(head); !opened) return std::unexpected(opened.error());
  file_ = std::move(*fd);
  file_name_ = file;
  size_ = reserved_end_ = *size;
  return recovered;
}

Status Segments::Begin(const std::string& date, const broker::ledger::State& state) {
  if (file_.valid() && date <= names_.back().date) return {};
  const SegmentName name{date, state.seq + 1};
  const std::string file = broker::ledger::FormatSegmentName(name);
  if (Status created = CreateSegment(file); !created) return created;
  names_.push_back(name);
  if (head_.valid()) return {};
  return OpenHead(Head{state, file, 0});
}

// The file gets its name only when the space for it is there; else the old one stays the last.
Status Segments::CreateSegment(const std::string& file) {
  auto fd = CreateOrReopen(std::string(kNewSegment), Disk::How::kAppend);
  if (!fd) return std::unexpected(fd.error());
  const uint64_t room = std::max(reserve_bytes_, 2 * kStopReserveBytes);
  if (Status reserved = disk_.Reserve(fd->get(), 0, room); !reserved) return reserved;
  if (Status synced = disk_.Sync(fd->get()); !synced) return synced;
  if (Status named = disk_.Rename(std::string(kNewSegment), file); !named) return named;
  if (Status synced = disk_.SyncFolder(); !synced) return synced;
  file_ = std::move(*fd);
  file_name_ = file;
  size_ = 0;
  reserved_end_ = room;
  return {};
}

Result<ipc::Fd> Segments::CreateOrReopen(const std::string& name, Disk::How how) {
  auto fd = disk_.Open(name, how, /*create=*/true);
  if (fd || !fd.error().detail.ends_with("EEXIST")) return fd;
  return disk_.Open(name, how, /*create=*/false);
}

// The file appears under its name with its first content or not at all.
Status Segments::OpenHead(const Head& head) {
  auto fd = disk_.Open(std::string(kHeadFile), Disk::How::kOverwrite, false);
  if (fd) {
    head_ = std::move(*fd);
    return SaveHead(head);
  }
  fd = CreateOrReopen(std::string(kNewHeadFile), Disk::How::kOverwrite);
  if (!fd) return std::unexpected(fd.error());
  head_ = std::move(*fd);
  if (Status saved = SaveHead(head); !saved) return saved;
  if (Status synced = disk_.Sync(head_.get()); !synced) return synced;
  if (Status moved = disk_.Rename(std::string(kNewHeadFile), std::string(kHeadFile)); !moved) {
    return moved;
  }
  return disk_.SyncFolder();
}

Status Segments::MakeRoom(uint64_t bytes, bool essential) {
  const uint64_t wanted = size_ + bytes + (essential ? 0 : kStopReserveBytes);
  if (wanted <= reserved_end_) return {};
  const uint64_t more = std::max(reserve_bytes_, wanted - reserved_end_);
  if (Status reserved = disk_.Reserve(file_.get(), reserved_end_, more); !reserved) return reserved;
  reserved_end_ += more;
  return {};
}

Status Segments::Commit(std::string_view batch) {
  if (Status written = disk_.Append(file_.get(), batch); !written) return written;
  if (Status synced = disk_.Sync(file_.get()); !synced) return synced;
  size_ += batch.size();
  return disk_.CheckInPlace(file_name_, file_.get(), size_);
}

Status Segments::SyncHead(const Head& head) {
  if (Status saved = SaveHead(head); !saved) return saved;
  return disk_.Sync(head_.get());
}

Status Segments::SaveHead(const Head& head) {
  return disk_.Overwrite(head_.get(), broker::ledger::FormatHead(head));
}

}  // namespace sidecar::ledger
