#include "sidecar/cli/ledger_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>

#include "broker/ledger/canonical_text.h"
#include "broker/ledger/head.h"
#include "broker/ledger/segment_name.h"
#include "sidecar/ipc/frame.h"

namespace sidecar::cli {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result, broker::Status;
using broker::ledger::Expectations;

constexpr size_t kBlockBytes = size_t{1}
                               << 20;  // large enough to read fast, small enough for a cache
static_assert(kBlockBytes > 2 * broker::ledger::kMaxLineBytes);

std::unexpected<broker::Error> CannotRead(const std::string& path, int error = errno) {
  const std::string who =
      error == EACCES ? ". The ledger's files are for root and the groups of [admin] auditors" : "";
  return Fail(ErrorCode::kUnavailable, "cannot read " + path + ": " + std::strerror(error) + who);
}

Result<ipc::Fd> Open(const std::string& path) {
  ipc::Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return CannotRead(path);
  return fd;
}

// Up to `size` bytes into `to`; fewer only at the end of the file.
Result<size_t> ReadAt(int fd, const std::string& path, uint64_t offset, std::span<char> to) {
  size_t used = 0;
  while (used < to.size()) {
    const ssize_t got =
        pread(fd, to.data() + used, to.size() - used, static_cast<off_t>(offset + used));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return CannotRead(path);
    if (got == 0) break;
    used += static_cast<size_t>(got);
  }
  return used;
}

}  // namespace

Result<std::vector<std::string>> ListSegments(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> names;
  auto file = std::filesystem::directory_iterator(folder, error);
  for (; !error && file != std::filesystem::directory_iterator(); file.increment(error)) {
    std::string name = file->path().filename().string();
    if (broker::ledger::ParseSegmentName(name)) names.push_back(std::move(name));
  }
  if (error) return CannotRead(folder, error.value());
  std::ranges::sort(names);
  return names;
}

Result<std::vector<SegmentFile>> ListAllSegments(const std::string& folder,
                                                 const std::string& archive) {
  const auto own = ListSegments(folder);
  if (!own) return std::unexpected(own.error());
  const std::string other =
      archive.empty() ? folder + "/" + std::string(broker::ledger::kArchiveFolder) : archive;
  const auto archived = ListSegments(other);
  if (!archived && !archive.empty()) return std::unexpected(archived.error());
  const auto at = [](const std::string& where, const std::string& name) {
    return SegmentFile{name, std::string(where).append("/").append(name)};
  };
  std::vector<SegmentFile> all;
  for (const std::string& name : archived.value_or(std::vector<std::string>())) {
    if (own->empty() || name < own->front()) all.push_back(at(other, name));
  }
  for (const std::string& name : *own) all.push_back(at(folder, name));
  return all;
}

std::optional<broker::ledger::Head> ReadEndBefore(const std::string& folder,
                                                  const std::string& segment) {
  const auto first = broker::ledger::ParseSegmentName(segment);
  std::error_code error;
  std::string newest;
  auto file = std::filesystem::directory_iterator(folder, error);
  for (; !error && file != std::filesystem::directory_iterator(); file.increment(error)) {
    const std::string name = file->path().filename().string();
    if (!name.ends_with(broker::ledger::kEndSuffix)) continue;
    const auto ended = broker::ledger::ParseSegmentName(
        name.substr(0, name.size() - broker::ledger::kEndSuffix.size()));
    if (ended && first && *ended < *first && name > newest) newest = name;
  }
  if (newest.empty()) return std::nullopt;
  const std::string path = std::string(folder).append("/").append(newest);
  const auto fd = Open(path);
  std::string bytes(kBlockBytes, '\0');
  const auto size = fd ? ReadAt(fd->get(), path, 0, bytes) : std::unexpected(fd.error());
  if (!size) return std::nullopt;
  auto head = broker::ledger::ParseHead(std::string_view(bytes).substr(0, *size));
  if (!head || head->state.seq + 1 != first->first_seq) return std::nullopt;
  return std::move(*head);
}

Result<Expectations> ReadExpectations(const std::string& folder) {
  const std::string path = folder + "/" + std::string(broker::ledger::kHeadFile);
  auto fd = Open(path);
  if (!fd && errno == ENOENT) return Expectations{.head_file = Expectations::HeadFile::kMissing};
  if (!fd) return std::unexpected(fd.error());
  // The writer overwrites it in place: what does not read back at once may do so a moment later.
  constexpr int kAttempts = 3;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::string bytes(kBlockBytes, '\0');
    const auto size = ReadAt(fd->get(), path, 0, bytes);
    if (!size) return std::unexpected(size.error());
    auto head = broker::ledger::ParseHead(std::string_view(bytes).substr(0, *size));
    if (head) return Expectations{Expectations::HeadFile::kRead, std::move(*head), {}, {}};
  }
  return Expectations{.head_file = Expectations::HeadFile::kDamaged};
}

Result<std::string> ReadLines(const std::string& path, uint64_t* offset,
                              const std::function<bool(std::string_view)>& lines) {
  const auto fd = Open(path);
  if (!fd) return std::unexpected(fd.error());
  std::string block(kBlockBytes, '\0');
  while (true) {
    const auto got = ReadAt(fd->get(), path, *offset, block);
    if (!got) return std::unexpected(got.error());
    const std::string_view bytes = std::string_view(block).substr(0, *got);
    const size_t end = bytes.rfind('\n');
    // No newline in a whole block: no ledger's line, and whoever checks it needs no more of it.
    if (end == std::string_view::npos) return std::string(bytes);
    const bool more = lines(bytes.substr(0, end + 1));
    *offset += end + 1;
    if (!more) return std::string();
    if (*got < block.size()) return std::string(bytes.substr(end + 1));
  }
}

Status ReadLinesBackwards(const std::string& path,
                          const std::function<bool(std::string_view)>& line) {
  const auto fd = Open(path);
  if (!fd) return std::unexpected(fd.error());
  struct stat info{};
  if (fstat(fd->get(), &info) != 0) return CannotRead(path);
  auto left = static_cast<uint64_t>(info.st_size);  // not read yet
  std::string held;                                 // from `left` on, up to the last line given out
  bool first = true;  // what stands behind the last newline is no line
  while (true) {
    const size_t newline = held.rfind('\n');
    if (newline == std::string::npos && left > 0) {
      const size_t step = std::min<uint64_t>(kBlockBytes, left);
      std::string block(step, '\0');
      left -= step;
      const auto got = ReadAt(fd->get(), path, left, block);
      if (!got) return std::unexpected(got.error());
      held.insert(0, block);
      continue;
    }
    const size_t start = newline == std::string::npos ? 0 : newline + 1;
    if (!first && !line(std::string_view(held).substr(start))) return {};
    if (newline == std::string::npos) return {};
    first = false;
    held.resize(newline);
  }
}

}  // namespace sidecar::cli
