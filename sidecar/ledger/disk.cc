#include "sidecar/ledger/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "broker/ledger/segment_name.h"
#include "sidecar/ipc/write_all.h"

namespace sidecar::ledger {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result, broker::Status;

std::unexpected<broker::Error> FailErrno(const char* what) {
  return Fail(ErrorCode::kUnavailable, std::string(what) + " failed: " + strerrorname_np(errno));
}

Result<ipc::Fd> OpenDirectory(int at, const char* path) {
  ipc::Fd fd(openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return FailErrno("opening the ledger's folder");
  return fd;
}

bool SameFile(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// Lets make_unique reach the protected constructor.
class RealDisk final : public Disk {
 public:
  RealDisk(ipc::Fd folder, ipc::Fd parent, std::string name)
      : Disk(std::move(folder), std::move(parent), std::move(name)) {}
};

}  // namespace

Result<std::unique_ptr<Disk>> Disk::OpenFolder(const std::string& path) {
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.back() == '/') trimmed.pop_back();
  auto folder = OpenDirectory(AT_FDCWD, trimmed.c_str());
  if (!folder) return std::unexpected(folder.error());
  // Before the filter, which lets nobody make folders.
  const std::string archive(broker::ledger::kArchiveFolder);
  if (mkdirat(folder->get(), archive.c_str(), 0750) != 0 && errno != EEXIST) {
    return FailErrno("making the archive folder");
  }
  auto parent = OpenDirectory(folder->get(), "..");
  if (!parent) return std::unexpected(parent.error());
  const size_t slash = trimmed.rfind('/');
  std::string name = slash == std::string::npos ? trimmed : trimmed.substr(slash + 1);
  return std::make_unique<RealDisk>(std::move(*folder), std::move(*parent), std::move(name));
}

Result<std::vector<std::string>> Disk::List() const {
  // A description of its own: the folder's offset is not shared with other readers.
  auto fd = OpenDirectory(folder_.get(), ".");
  if (!fd) return std::unexpected(fd.error());
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(fdopendir(fd->get()), closedir);
  if (!dir) return FailErrno("listing the ledger's folder");
  [[maybe_unused]] const int owned_by_dir = fd->Release();
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(dir.get())) names.emplace_back(entry->d_name);
  if (errno != 0) return FailErrno("listing the ledger's folder");
  return names;
}

Result<ipc::Fd> Disk::Open(const std::string& name, How how, bool create) {
  int flags = O_CLOEXEC | O_NOFOLLOW | O_NOCTTY;
  if (how == How::kRead) flags |= O_RDONLY;
  if (how == How::kAppend) flags |= O_RDWR | O_APPEND;
  if (how == How::kOverwrite) flags |= O_RDWR;
  if (create) flags |= O_CREAT | O_EXCL;
  ipc::Fd fd(openat(folder_.get(), name.c_str(), flags, 0640));
  if (!fd.valid()) return FailErrno(create ? "creating a file" : "opening a file");
  return fd;
}

Status Disk::Append(int fd, std::string_view bytes) {
  return WriteAll(fd, bytes) ? Status() : FailErrno("write");
}

Status Disk::Sync(int fd) {
  if (fdatasync(fd) != 0) return FailErrno("sync");
  return {};
}

Status Disk::SyncFolder() {
  if (fsync(folder_.get()) != 0) return FailErrno("sync of the folder");
  return {};
}

Status Disk::Reserve(int fd, uint64_t offset, uint64_t bytes) {
  const auto from = static_cast<off_t>(offset);
  const auto length = static_cast<off_t>(bytes);
  if (fallocate(fd, FALLOC_FL_KEEP_SIZE, from, length) == 0 || errno == EOPNOTSUPP) return {};
  return FailErrno("reserving space");
}

Status Disk::Overwrite(int fd, std::string_view bytes) {
  const ssize_t written = pwrite(fd, bytes.data(), bytes.size(), 0);
  if (written != static_cast<ssize_t>(bytes.size())) return FailErrno("writing the head file");
  return {};
}

Status Disk::Truncate(int fd, uint64_t size) {
  if (ftruncate(fd, static_cast<off_t>(size)) != 0) return FailErrno("cutting a torn tail");
  return {};
}

Status Disk::Rename(const std::string& from, const std::string& to) {
  if (renameat2(folder_.get(), from.c_str(), folder_.get(), to.c_str(), RENAME_NOREPLACE) != 0) {
    return FailErrno("renaming a file");
  }
  return {};
}

Status Disk::MoveToArchive(const std::string& name) {
  const std::string path(broker::ledger::kArchiveFolder);
  const ipc::Fd archive(
      openat(folder_.get(), path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!archive.valid()) return FailErrno("opening the archive folder");
  if (renameat2(folder_.get(), name.c_str(), archive.get(), name.c_str(), RENAME_NOREPLACE) != 0) {
    return FailErrno("moving a segment to the archive folder");
  }
  // Where it is now before where it was: no crash of the machine leaves it in neither.
  if (fsync(archive.get()) != 0) return FailErrno("sync of the archive folder");
  return SyncFolder();
}

Result<uint64_t> Disk::Size(int fd) const {
  struct stat now{};
  if (fstat(fd, &now) != 0) return FailErrno("fstat");
  return static_cast<uint64_t>(now.st_size);
}

Result<std::string> Disk::ReadAt(int fd, uint64_t offset, size_t bytes) const {
  std::string block(bytes, '\0');
  size_t used = 0;
  while (used < bytes) {
    const ssize_t got =
        pread(fd, block.data() + used, bytes - used, static_cast<off_t>(offset + used));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FailErrno("read");
    if (got == 0) break;
    used += static_cast<size_t>(got);
  }
  block.resize(used);
  return block;
}

Status Disk::CheckInPlace(const std::string& name, int fd, uint64_t size) const {
  struct stat ours{}, named{};
  if (fstat(folder_.get(), &ours) != 0) return FailErrno("fstat");
  if (fstatat(parent_.get(), folder_name_.c_str(), &named, 0) != 0 || !SameFile(ours, named)) {
    return Fail(ErrorCode::kUnavailable, "the ledger's folder was deleted, moved or replaced");
  }
  if (fstat(fd, &ours) != 0) return FailErrno("fstat");
  if (fstatat(folder_.get(), name.c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0 ||
      !SameFile(ours, named)) {
    return Fail(ErrorCode::kUnavailable, "the segment was deleted, moved or replaced: " + name);
  }
  if (static_cast<uint64_t>(ours.st_size) != size) {
    return Fail(ErrorCode::kUnavailable, "somebody else wrote to the segment: " + name);
  }
  return {};
}

}  // namespace sidecar::ledger
