#include "sidecar/supervisor/access_list.h"

#include <algorithm>

#include "sidecar/ipc/codec.h"

namespace sidecar::supervisor {

// linux/posix_acl_xattr.h, version 2: a header, then entries in this order, ids ascending.
std::string Encode(const AccessList& list) {
  constexpr uint32_t kVersion = 2;
  constexpr uint32_t kNoId = ~0U;
  enum Tag : uint16_t {
    kUserObj = 1,
    kUser = 2,
    kGroupObj = 4,
    kGroup = 8,
    kMask = 16,
    kOther = 32
  };
  std::string acl;
  ipc::Writer out(&acl);
  const auto entry = [&out](Tag tag, uint16_t permission, uint32_t id) {
    out.U32(static_cast<uint32_t>(tag) | static_cast<uint32_t>(permission) << 16U);
    out.U32(id);
  };
  out.U32(kVersion);
  entry(kUserObj, list.owner, kNoId);
  if (list.uid) entry(kUser, list.named, *list.uid);
  entry(kGroupObj, list.group, kNoId);
  std::vector<uint32_t> gids = list.gids;
  std::ranges::sort(gids);
  gids.erase(std::ranges::unique(gids).begin(), gids.end());
  for (const uint32_t gid : gids) entry(kGroup, list.named, gid);
  entry(kMask, static_cast<uint16_t>(list.group | list.named), kNoId);
  entry(kOther, 0, kNoId);
  return acl;
}

}  // namespace sidecar::supervisor
