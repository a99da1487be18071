// broker/ledger/line_writer.h: an entry as one canonical JSON line. FORMAT.md has the fields.
#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "broker/base/result.h"
#include "broker/ledger/entry.h"
#include "broker/ledger/leaf.h"

namespace broker::ledger {

/// What the ledger adds to an entry: its place in the one order of events.
struct Place {
  uint64_t seq = 0;  // 1 for the first line
  std::chrono::system_clock::time_point time;
  std::array<uint8_t, 10> id_random{};  // for the UUIDv7 of `id` (RFC 9562 §5.7)
  std::array<uint8_t, 16> nonce{};      // so that nobody can guess an entry from its hash
  Leaf prev = kNoLeaf;
  std::string_view log;  // the instance's name
  std::string_view tenant;
  std::string_view boot;  // the kernel's boot id
};

/// Appends the line of `entry`, without its newline: RFC 8785, restricted to sorted lower-case
/// keys, strings and integers. Empty fields are left out.
/// Errors: kInvalidRequest (control character, invalid UTF-8, integer beyond 2^53 - 1, a key of
/// `change` outside [a-z0-9_], a quote or backslash in the agent's name, over kMaxLineBytes): then
/// `*out` is as it was. The detail never quotes the entry. Thread-safe.
Status AppendLine(const Entry& entry, const Place& place, std::string* out);

/// "2026-11-20T08:15:30.123456Z" (RFC 3339, UTC).
void AppendTime(std::chrono::system_clock::time_point time, std::string* out);

}  // namespace broker::ledger
