// sidecar/ledger/segments.h: the file that is appended to, the space kept for it, the head file.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/ledger/head.h"
#include "broker/ledger/segment_name.h"
#include "sidecar/ledger/disk.h"
#include "sidecar/ledger/recovery.h"

namespace sidecar::ledger {

/// Not thread-safe: the writer's. After an error of Commit nothing may be appended before Open.
class Segments {
 public:
  // Kept for kill and stop entries when the disk is full: sixteen of the largest, hundreds of the
  // usual size.
  static constexpr uint64_t kStopReserveBytes = uint64_t{256} << 10;
  // Space is set aside in pieces of this size: one more system call per thousand entries, and at
  // most this much is wasted per closed segment.
  static constexpr uint64_t kDefaultReserveBytes = uint64_t{1} << 20;

  Segments(Disk& disk, uint64_t reserve_bytes) : disk_(disk), reserve_bytes_(reserve_bytes) {}

  /// Recovers (recovery.h) and opens the last segment for appending. Errors: those of Recover.
  broker::Result<Recovered> Open(const broker::ledger::Head* acknowledged);

  /// Begins a segment when there is none or the day is another, later one. It is reserved before
  /// anything is switched: on an error the old one is still in use. Errors: kUnavailable.
  broker::Status Begin(const std::string& date, const broker::ledger::State& state);

  /// Whether a batch of `bytes` fits into what is set aside (or can now be), leaving the stop
  /// reserve untouched unless `essential`. REQUIRES: a segment.
  broker::Status MakeRoom(uint64_t bytes, bool essential);

  /// One write, one sync, and a look whether the file is still the one with this name.
  broker::Status Commit(std::string_view batch);

  /// Overwrites the head file. An error does not undo the commit, but the next start would call it
  /// tampering: the caller latches.
  broker::Status SaveHead(const broker::ledger::Head& head);

  /// Makes the head file durable: before a segment goes that an older one might name.
  broker::Status SyncHead(const broker::ledger::Head& head);
  /// The first segment was moved to the archive. REQUIRES: it is not the last.
  void DropFirst() { names_.erase(names_.begin()); }

  [[nodiscard]] Disk& disk() { return disk_; }
  [[nodiscard]] bool has_file() const { return file_.valid(); }
  [[nodiscard]] const std::vector<broker::ledger::SegmentName>& names() const { return names_; }
  [[nodiscard]] const std::string& file_name() const { return file_name_; }
  [[nodiscard]] uint64_t size() const { return size_; }

 private:
  broker::Status OpenHead(const broker::ledger::Head& head);
  broker::Status CreateSegment(const std::string& file);
  broker::Result<ipc::Fd> CreateOrReopen(const std::string& name, Disk::How how);
  Disk& disk_;
  const uint64_t reserve_bytes_;
  std::vector<broker::ledger::SegmentName> names_;
  ipc::Fd file_;
  ipc::Fd head_;
  std::string file_name_;
  uint64_t size_ = 0;
  uint64_t reserved_end_ = 0;
};

}  // namespace sidecar::ledger
