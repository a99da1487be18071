// sidecar/ledger/audit_page.h: an agent's own trail, page by page, straight from the files.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"
#include "broker/ledger/segment_name.h"
#include "sidecar/ledger/disk.h"

namespace sidecar::ledger {

/// How far the files may be read: what was acknowledged. Published by the writer.
struct DurableEnd {
  std::vector<broker::ledger::SegmentName> segments;  // in order
  uint64_t last_size = 0;                             // of the last of them
  uint64_t seq = 0;
};

// The longest that Entra makes a token live (with continuous access evaluation): what was released
// before that has expired.
inline constexpr std::chrono::hours kLongestTokenLife{28};

struct PageQuery {
  std::string_view agent;
  uint64_t after = 0;
  uint32_t limit = 0;  // 0: kMaxPageEntries
};

// One answer: bounds what an agent can make the ledger read, and how long the others wait.
inline constexpr uint32_t kMaxPageEntries = 100;
inline constexpr size_t kMaxPageScanBytes = size_t{2} << 20;
inline constexpr size_t kMaxPageBodyBytes = size_t{256} << 10;

/// The answer of GET /v1/audit: {"entries":[…],"next":N}. `next` is the `after` of the next page:
/// the last entry that was looked at, whether or not it was the agent's, so that it always
/// advances; when it equals `after` there is nothing newer. Errors: kUnavailable, kCorrupt.
broker::Result<std::string> ReadPage(Disk& disk, const DurableEnd& end, const PageQuery& query);

/// For the broker, which forgets over a restart what it released: of each agent, `token.issued`
/// entries above `after` whose token has not expired at `now`, as {"entries":[…],"next":N} of
/// agent, credential, scopes, seq, target, token and user, read as ReadPage does. `"archived":true`
/// where entries that are young enough are in the archive, which is not read. Days are trusted as
/// the names of segments have them. Errors: kUnavailable, kCorrupt.
broker::Result<std::string> ReadAlive(Disk& disk, const DurableEnd& end, uint64_t after,
                                      std::chrono::system_clock::time_point now);

/// The part of a line that its agent may see, as a JSON object: no user ids, no free text, nothing
/// of the operator who wrote it, and the line's own hash as `leaf`. Pure.
/// REQUIRES: ScanLine accepted the line.
std::string VisibleToAgent(std::string_view line);

}  // namespace sidecar::ledger
