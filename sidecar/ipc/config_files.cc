#include "sidecar/ipc/config_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "sidecar/ipc/frame.h"

namespace sidecar {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result;
using broker::policy::SourceFile;
using ipc::Fd;

std::unexpected<broker::Error> FailOn(const std::string& path, const std::string& what) {
  return Fail(ErrorCode::kInvalidRequest, path + ": " + what);
}

Result<std::string> ReadFile(const std::string& path) {
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status{};
  if (!file.valid() && errno == ENOENT) {
    return Fail(ErrorCode::kNotFound,
                path + " does not exist: run `purser init`, or name another with --config");
  }
  if (!file.valid() || fstat(file.get(), &status) != 0) return FailOn(path, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return FailOn(path, "is not a regular file");
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

// agents.d/*.toml beside the file, in order of name. What is not there is no fault.
Result<std::vector<std::string>> AgentFiles(const std::string& config_path) {
  std::vector<std::string> paths;
  const auto folder = std::filesystem::path(config_path).parent_path() / "agents.d";
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
  return paths;
}

}  // namespace

Result<std::vector<SourceFile>> ReadConfigFiles(const std::string& path) {
  auto paths = AgentFiles(path);
  if (!paths) return std::unexpected(paths.error());
  paths->insert(paths->begin(), path);
  std::vector<SourceFile> files;
  for (const std::string& each : *paths) {
    auto text = ReadFile(each);
    if (!text) return std::unexpected(text.error());
    files.push_back({each, std::move(*text)});
  }
  return files;
}

}  // namespace sidecar
