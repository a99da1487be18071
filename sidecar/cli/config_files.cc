#include "sidecar/cli/config_files.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "broker/policy/config_parser.h"

namespace sidecar::cli {
namespace {

namespace fs = std::filesystem;
using broker::ErrorCode, broker::Fail, broker::Result;
using broker::policy::SourceFile;

Result<SourceFile> ReadOne(const fs::path& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    return Fail(ErrorCode::kNotFound, path.string() +
                                          " does not exist: run `purser init`, or name "
                                          "another with --config");
  }
  if (error) return Fail(ErrorCode::kUnavailable, path.string() + ": " + error.message());
  if (!fs::is_regular_file(status)) {
    return Fail(ErrorCode::kInvalidRequest, path.string() + " is not a regular file");
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) return Fail(ErrorCode::kUnavailable, path.string() + ": " + std::strerror(errno));
  SourceFile file{path.string(), {}};
  // One byte more than the parser takes: it says that the configuration is too large.
  file.text.resize(broker::policy::kMaxConfigBytes + 1);
  in.read(file.text.data(), static_cast<std::streamsize>(file.text.size()));
  file.text.resize(static_cast<size_t>(in.gcount()));
  if (in.bad()) return Fail(ErrorCode::kUnavailable, path.string() + " cannot be read");
  return file;
}

Result<std::vector<fs::path>> AgentFiles(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  if (!fs::exists(folder, error) && !error) return paths;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".toml") paths.push_back(it->path());
  }
  if (error) return Fail(ErrorCode::kUnavailable, folder.string() + ": " + error.message());
  std::ranges::sort(paths);
  return paths;
}

}  // namespace

Result<std::vector<SourceFile>> ReadConfigFiles(const std::string& path) {
  const auto more = AgentFiles(fs::path(path).parent_path() / "agents.d");
  if (!more) return std::unexpected(more.error());
  std::vector<fs::path> paths = {path};
  paths.insert(paths.end(), more->begin(), more->end());
  std::vector<SourceFile> files;
  for (const fs::path& one : paths) {
    auto file = ReadOne(one);
    if (!file) return std::unexpected(file.error());
    files.push_back(*std::move(file));
  }
  return files;
}

}  // namespace sidecar::cli
