// sidecar/supervisor/access_list.h: who may use a file or socket beyond its owner (acl(5)).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sidecar::supervisor {

// The names of the extended attributes (acl(5), linux/xattr.h).
inline constexpr const char* kAccessAcl = "system.posix_acl_access";
inline constexpr const char* kDefaultAcl = "system.posix_acl_default";  // what is made in a folder

/// Everybody who is not named here may do nothing. Permissions are 4 read, 2 write, 1 search.
struct AccessList {
  uint16_t owner = 0;
  uint16_t group = 0;  // the group that it belongs to
  std::optional<uint32_t> uid;
  std::vector<uint32_t> gids;
  uint16_t named = 0;  // what `uid` and each of `gids` may do
};

/// The value of such an attribute, as the kernel takes it.
std::string Encode(const AccessList& list);

}  // namespace sidecar::supervisor
