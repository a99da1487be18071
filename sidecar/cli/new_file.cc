#include "sidecar/cli/new_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace sidecar::cli {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result, broker::Status;

std::unexpected<broker::Error> FailErrno() {
  return Fail(ErrorCode::kUnavailable, std::strerror(errno));
}

}  // namespace

Result<NewFile> NewFile::Create(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string in = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  ipc::Fd folder(open(in.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) return FailErrno();
  ipc::Fd file(openat(folder.get(), name.c_str(),
                      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!file.valid()) return FailErrno();
  return NewFile(std::move(folder), std::move(file), std::move(name));
}

Status NewFile::Write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = write(file_.get(), text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return FailErrno();
    text.remove_prefix(static_cast<size_t>(wrote));
  }
  return fsync(file_.get()) == 0 ? Status() : FailErrno();
}

void NewFile::Remove() { unlinkat(folder_.get(), name_.c_str(), 0); }

}  // namespace sidecar::cli
