// sidecar/ledger/flood_gate.h: a flood of equal refusals becomes one counted entry.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "broker/ledger/entry.h"

namespace sidecar::ledger {

/// Equal means: same type, agent, reason, rule, `change.fault` and caller's uid. The first
/// kPerWindow of a window are written one by one, the others are counted, and the count is written
/// when the window ends. A count that was not written yet is lost if the process is killed: at most
/// one window's. Not thread-safe: the writer's.
class FloodGate {
 public:
  using Steady = std::chrono::steady_clock::time_point;
  using Wall = std::chrono::system_clock::time_point;

  static constexpr uint64_t kPerWindow = 10;  // a person who tries things out is never collapsed
  // One key then costs at most (10 + 1) lines a minute, some 10 MB a day.
  static constexpr std::chrono::seconds kWindow{60};
  // More distinct refusals than any configuration has; beyond it they share one count per type.
  static constexpr size_t kMaxKeys = 256;

  // What is kept of the scopes that were asked for, over all counted refusals of a window: as many
  // as a person looks at, and with every key in use half a megabyte.
  static constexpr size_t kMaxScopes = 32;
  static constexpr size_t kMaxScopeBytes = 2048;

  /// Whether to count it instead of writing it. Entries that are no refusals are never counted.
  [[nodiscard]] bool MustCount(const broker::ledger::Entry& entry) const;
  /// One was written, and takes a place among the first kPerWindow.
  void Wrote(const broker::ledger::Entry& entry, Steady now);
  /// One more to count; `change.count` of them if it has one. REQUIRES: MustCount, and that it
  /// could have been written.
  void Count(const broker::ledger::Entry& entry, Wall wall);

  /// Takes the counts whose window is over (`all`: every one), as entries to be written.
  std::vector<broker::ledger::Entry> TakeCounts(Steady now, bool all);
  /// Puts one back whose entry could not be written.
  void PutBack(const broker::ledger::Entry& count, Steady now);

  /// When the next window ends; Steady::max() when none is open.
  [[nodiscard]] Steady NextEnd() const;

 private:
  // Type, agent, reason, rule, fault, uid (-1: no caller). The shared key has an empty agent, the
  // reason "flood", and no caller.
  using Key = std::tuple<broker::ledger::EntryType, std::string, std::string, std::string,
                         std::string, int64_t>;
  struct Window {
    Steady ends;
    uint64_t written = 0;
    uint64_t counted = 0;
    // Of those that were counted:
    uint32_t gid = 0;
    std::string first, last;  // RFC 3339, so that they compare like the moments
    std::set<std::string> scopes;
    size_t scope_bytes = 0;
    bool more_scopes = false;  // than fitted

    void Add(const broker::ledger::Entry& entry, const std::string& from, const std::string& to);
  };
  /// The key of the entry, or the shared one if there are too many.
  [[nodiscard]] Key KeyOf(const broker::ledger::Entry& entry) const;
  static broker::ledger::Entry EntryOf(const Key& key, const Window& window);
  std::map<Key, Window> windows_;
};

}  // namespace sidecar::ledger
