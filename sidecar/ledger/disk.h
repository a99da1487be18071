// sidecar/ledger/disk.h: the few things that the ledger does to files, in one folder.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"
#include "sidecar/ipc/frame.h"

namespace sidecar::ledger {

/// Everything is relative to a descriptor of the folder, opened before the process is hardened.
/// Virtual so that tests can fail or stop at each step. Errors are kUnavailable; the detail reads
/// "sync failed: EIO". Thread-safe.
class Disk {
 public:
  enum class How { kRead, kAppend, kOverwrite };

  /// Opens the folder and its parent, and makes the archive folder in it. Errors: kUnavailable.
  static broker::Result<std::unique_ptr<Disk>> OpenFolder(const std::string& path);
  virtual ~Disk() = default;
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  [[nodiscard]] broker::Result<std::vector<std::string>> List() const;
  /// Never follows a symbolic link. `create`: must not exist; mode 0640.
  virtual broker::Result<ipc::Fd> Open(const std::string& name, How how, bool create);
  /// Writes all bytes at the end of the file.
  virtual broker::Status Append(int fd, std::string_view bytes);
  virtual broker::Status Sync(int fd);
  virtual broker::Status SyncFolder();
  /// Has the file system set space aside beyond the end. Where it cannot, nothing happens.
  virtual broker::Status Reserve(int fd, uint64_t offset, uint64_t bytes);
  virtual broker::Status Overwrite(int fd, std::string_view bytes);
  virtual broker::Status Truncate(int fd, uint64_t size);
  /// `to` must not exist.
  virtual broker::Status Rename(const std::string& from, const std::string& to);
  /// Moves the file, with its name, into the archive folder, where no such file must be, and makes
  /// that durable. At each moment, and after a crash, it is in one of the two.
  virtual broker::Status MoveToArchive(const std::string& name);

  [[nodiscard]] broker::Result<uint64_t> Size(int fd) const;
  /// The bytes at `offset`, fewer at the end of the file.
  [[nodiscard]] broker::Result<std::string> ReadAt(int fd, uint64_t offset, size_t bytes) const;
  /// Whether the folder still stands in its parent, and `name` in it is still the file behind `fd`
  /// with `size` bytes: neither deleted, nor replaced, nor written by anybody else.
  [[nodiscard]] virtual broker::Status CheckInPlace(const std::string& name, int fd,
                                                    uint64_t size) const;

 protected:
  Disk(ipc::Fd folder, ipc::Fd parent, std::string folder_name)
      : folder_(std::move(folder)),
        parent_(std::move(parent)),
        folder_name_(std::move(folder_name)) {}

 private:
  ipc::Fd folder_;
  ipc::Fd parent_;
  std::string folder_name_;
};

}  // namespace sidecar::ledger
