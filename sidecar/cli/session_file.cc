#include "sidecar/cli/session_file.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "broker/base/strict_json.h"
#include "sidecar/ipc/write_all.h"

namespace sidecar::cli {
namespace {

using broker::ErrorCode, broker::Fail;
using nlohmann::json;

constexpr size_t kMaxFileBytes = 1024;  // a socket's path and a session
constexpr mode_t kOthers = 077;

std::string UsualPath() {
  if (const char* named = std::getenv("PURSER_SESSION_FILE"); named != nullptr && *named != '\0') {
    return named;
  }
  // Not $HOME, which sudo may leave as it was.
  const passwd* user = getpwuid(geteuid());
  if (user == nullptr || user->pw_dir == nullptr || *user->pw_dir != '/') return {};
  return std::string(user->pw_dir) + "/.purser-session";
}

std::unexpected<broker::Error> Cannot(const std::string& what, const std::string& path) {
  return Fail(ErrorCode::kUnavailable, "cannot " + what + " " + path + ": " + std::strerror(errno));
}

}  // namespace

SessionFile::SessionFile(std::string path) : path_(path.empty() ? UsualPath() : std::move(path)) {}

std::string SessionFile::Read(const std::string& socket_path) const {
  if (path_.empty()) return {};
  const int fd = open(path_.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return {};
  struct stat status{};
  const bool own = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                   status.st_uid == geteuid() && (status.st_mode & kOthers) == 0;
  std::array<char, kMaxFileBytes + 1> bytes{};
  const ssize_t size = own ? read(fd, bytes.data(), bytes.size()) : -1;
  close(fd);
  if (size <= 0 || static_cast<size_t>(size) > kMaxFileBytes) return {};
  const auto noted = broker::ParseStrictJson({bytes.data(), static_cast<size_t>(size)});
  if (!noted || !noted->is_object() || noted->value("socket", json()) != socket_path) return {};
  const json session = noted->value("session", json());
  return session.is_string() ? session.get<std::string>() : std::string();
}

broker::Status SessionFile::Write(const std::string& socket_path,
                                  const std::string& session) const {
  if (path_.empty()) {
    return Fail(ErrorCode::kUnavailable,
                "this user has no home: name a file in PURSER_SESSION_FILE");
  }
  const std::string text = json{{"socket", socket_path}, {"session", session}}.dump();
  if (text.size() > kMaxFileBytes) return Fail(ErrorCode::kUnavailable, "the path is too long");
  std::string beside = path_ + ".XXXXXX";
  const int fd = mkstemp(beside.data());  // mode 0600 at most
  if (fd < 0) return Cannot("make a file beside", path_);
  const bool whole = WriteAll(fd, text);
  if (close(fd) == 0 && whole && std::rename(beside.c_str(), path_.c_str()) == 0) return {};
  const int why = errno;
  unlink(beside.c_str());
  errno = why;
  return Cannot("write", path_);
}

void SessionFile::Remove() const {
  if (!path_.empty()) unlink(path_.c_str());
}

}  // namespace sidecar::cli
