// broker/policy/facts.h: what the kernel said of a peer at the moment it was accepted.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace broker::policy {

/// Absent optionals and empty strings are facts that could not be had; a selector that needs one
/// refuses.
struct Facts {
  uint32_t uid = 65534;
  uint32_t gid = 65534;
  std::vector<uint32_t> groups;     // SO_PEERGROUPS, with gid
  int32_t pid = 0;                  // 0 across pid namespaces
  std::string cgroup;               // full path in the v2 hierarchy (or the name=systemd one)
  std::string systemd_unit;         // system unit from the full path; a user's unit is no unit here
  std::string exe_path;             // readlink of the magic link, for people to read
  std::optional<bool> exe_matches;  // device and inode compared with the configured file
  std::string exe_sha256;           // hex, of a root-owned file
  std::optional<uint32_t> loginuid;
};

}  // namespace broker::policy
