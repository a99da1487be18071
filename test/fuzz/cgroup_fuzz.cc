// /proc/<pid>/cgroup: the names in it are chosen by whoever may make a cgroup.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sidecar/supervisor/cgroup.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string path = sidecar::supervisor::ParseCgroupPath(text);
  if (!path.empty() && (path.front() != '/' || path.find('\n') != std::string::npos)) std::abort();
  const std::string unit = sidecar::supervisor::SystemUnitOf(path);
  if (unit.find('/') != std::string::npos) std::abort();
  if (!unit.empty() && !unit.ends_with(".service") && !unit.ends_with(".scope")) std::abort();
  // No unit below a user's manager is the system's.
  if (path.starts_with("/user.slice/user-1.slice/user@1.service") && unit != "user@1.service" &&
      path.substr(39).starts_with('/')) {
    std::abort();
  }
  return 0;
}
