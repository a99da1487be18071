#include "sidecar/ipc/config_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "sidecar/ipc/frame.h"

namespace sidecar {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result, broker::Status;
using broker::policy::SourceFile;
using ipc::Fd;

std::unexpected<broker::Error> FailOn(const std::string& path, const std::string& what) {
  return Fail(ErrorCode::kInvalidRequest, path + ": " + what);
}

using Owners = std::span<const uint32_t>;

Status CheckWriters(const std::string& path, const struct stat& status, Owners owners) {
  if (owners.empty()) return {};
  if (std::ranges::find(owners, status.st_uid) == owners.end()) {
    return FailOn(path, "belongs to user " + std::to_string(status.st_uid) +
                            ", who could change the policy: look at it, then chown root " + path);
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return FailOn(path,
                  "can be written by others, who could change the policy: look at it, then "
                  "chmod go-w " +
                      path);
  }
  return {};
}

// Kubernetes mounts a folder of files that everybody may write, where nobody can: read-only, its
// files behind a link of that name. Read-only alone says nothing: so is all of /etc to a service
// with ProtectSystem=, and to nobody else.
bool IsMountedByKubernetes(const Fd& folder, Owners owners) {
  struct statvfs mounted{};
  struct stat link{};
  return fstatvfs(folder.get(), &mounted) == 0 && (mounted.f_flag & ST_RDONLY) != 0 &&
         fstatat(folder.get(), "..data", &link, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISLNK(link.st_mode) && std::ranges::find(owners, link.st_uid) != owners.end();
}

// Who can write a folder can put another file in the place of each one there.
Status CheckFolder(const std::string& path, Owners owners) {
  if (owners.empty()) return {};
  const Fd folder(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat status{};
  if (!folder.valid() && errno == ENOENT) return {};
  if (!folder.valid() || fstat(folder.get(), &status) != 0) {
    return FailOn(path, std::strerror(errno));
  }
  if (IsMountedByKubernetes(folder, owners)) return {};
  return CheckWriters(path, status, owners);
}

Result<std::string> ReadFile(const std::string& path, Owners owners) {
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status{};
  if (!file.valid() && errno == ENOENT) {
    return Fail(ErrorCode::kNotFound,
                path + " does not exist: run `purser init`, or name another with --config");
  }
  if (!file.valid() || fstat(file.get(), &status) != 0) return FailOn(path, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return FailOn(path, "is not a regular file");
  if (Status writers = CheckWriters(path, status, owners); !writers) {
    return std::unexpected(writers.error());
  }
  std::string text;
  while (text.size() <= kMaxConfigFileBytes) {
    const size_t used = text.size();
    text.resize(used + (size_t{64} << 10));
    const ssize_t got = read(file.get(), text.data() + used, text.size() - used);
    text.resize(used + (got > 0 ? static_cast<size_t>(got) : 0));
    if (got == 0) return text;
    if (got < 0 && errno != EINTR) return FailOn(path, std::strerror(errno));
  }
  return FailOn(path, "is over 1 MiB");
}

}  // namespace

std::string AgentsFolder(const std::string& path) {
  return std::filesystem::path(path).parent_path() / "agents.d";
}

Result<std::vector<std::string>> ConfigFilePaths(const std::string& path) {
  std::vector<std::string> paths;
  const std::string folder = AgentsFolder(path);
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename();
    if (name.ends_with(".toml") && !name.starts_with('.')) paths.push_back(it->path());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return FailOn(folder, error.message());
  }
  if (paths.size() > kMaxConfigFiles) return FailOn(folder, "holds more than 1000 files");
  std::ranges::sort(paths);
  paths.insert(paths.begin(), path);
  return paths;
}

Result<std::vector<SourceFile>> ReadConfigFiles(const std::string& path, Owners owners) {
  const std::string above = std::filesystem::path(path).parent_path();
  for (const std::string& folder : {above.empty() ? std::string(".") : above, AgentsFolder(path)}) {
    if (Status checked = CheckFolder(folder, owners); !checked) {
      return std::unexpected(checked.error());
    }
  }
  const auto paths = ConfigFilePaths(path);
  if (!paths) return std::unexpected(paths.error());
  std::vector<SourceFile> files;
  for (const std::string& each : *paths) {
    auto text = ReadFile(each, owners);
    if (!text) return std::unexpected(text.error());
    files.push_back({each, std::move(*text)});
  }
  return files;
}

}  // namespace sidecar
