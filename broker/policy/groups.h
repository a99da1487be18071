// broker/policy/groups.h: which groups of this machine a peer is in.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "broker/policy/facts.h"

namespace broker::policy {

/// By its own gid, or by a supplementary group. Pure.
inline bool IsIn(const Facts& facts, uint32_t gid) {
  return facts.gid == gid || std::ranges::find(facts.groups, gid) != facts.groups.end();
}

/// False of no groups.
inline bool IsInAny(const Facts& facts, const std::vector<uint32_t>& gids) {
  return std::ranges::any_of(gids, [&facts](uint32_t gid) { return IsIn(facts, gid); });
}

}  // namespace broker::policy
