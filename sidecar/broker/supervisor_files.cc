#include "sidecar/broker/supervisor_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <span>

namespace sidecar::broker_role {

using broker::ErrorCode, broker::Fail, broker::Result, broker::Secret;

Result<ipc::Fd> SupervisorFiles::Open(const std::string& place) {
  auto opened = supervisor_.AskForFile(place);
  if (!opened) return std::unexpected(opened.error());
  return std::move(*opened);
}

Result<Secret> SupervisorFiles::Read(const std::string& place) {
  const auto file = Open(place);
  if (!file) return std::unexpected(file.error());
  struct stat facts{};
  if (fstat(file->get(), &facts) != 0 || !S_ISREG(facts.st_mode)) {
    return Fail(ErrorCode::kCorrupt, place + " is not a regular file");
  }
  // One byte more than a file may have, so that a longer one shows.
  Secret read = Secret::Allocate(kMaxBytes + 1);
  const std::span<char> room = read.Writable();
  size_t used = 0;
  while (used < room.size()) {
    const ssize_t got =
        pread(file->get(), room.data() + used, room.size() - used, static_cast<off_t>(used));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(ErrorCode::kUnavailable, place + " cannot be read");
    if (got == 0) break;
    used += static_cast<size_t>(got);
  }
  if (used > kMaxBytes) return Fail(ErrorCode::kCorrupt, place + " is too large for a token");
  return Secret::CopyOf(std::string_view(room.data(), used));
}

Result<int> FolderFiles::Open(const std::string& name) {
  auto file = files_.Open(folder_ + "/" + name);
  if (!file) return std::unexpected(file.error());
  return file->Release();
}

}  // namespace sidecar::broker_role
