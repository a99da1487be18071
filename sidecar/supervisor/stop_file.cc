#include "sidecar/supervisor/stop_file.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace sidecar::supervisor {

void StopFile::Watch(std::string path) {
  path_ = std::move(path);
  Look();
}

void StopFile::Look() {
  timer_ = loop_.After(kInterval, [this] { Look(); });
  const bool there = Exists();
  if (there == there_) return;
  there_ = there;
  changed_(there);
}

// What cannot be looked at may be there.
bool StopFile::Exists() {
  struct stat info{};
  if (lstat(path_.c_str(), &info) == 0) return true;
  if (errno == ENOENT) return false;
  if (!there_) {
    log_.Error("stop_file_unreadable",
               {{"path", path_},
                {"why", strerrorname_np(errno)},
                {"remedy", "all agents are stopped until purserd can look at it"}});
  }
  return true;
}

}  // namespace sidecar::supervisor
