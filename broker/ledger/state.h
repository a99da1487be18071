// broker/ledger/state.h: what all entries up to some line amount to.
#pragma once
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "broker/ledger/entry.h"
#include "broker/ledger/leaf.h"
#include "broker/ledger/line_scanner.h"

namespace broker::ledger {

struct State {
  uint64_t seq = 0;  // of the last line; 0: none yet
  Leaf leaf = kNoLeaf;
  std::set<std::string, std::less<>> killed;  // agents, by name
  bool all_killed = false;
  bool closed = false;            // by instance.torn_down: nothing may follow
  uint64_t store_intended = 0;    // highest change.generation of a pending secret.* entry
  uint64_t store_confirmed = 0;   // highest of a successful one
  uint64_t archive_intended = 0;  // highest change.archived of a pending ledger.archived entry
  uint64_t archived = 0;          // highest of a successful one
  bool operator==(const State&) const = default;
};

/// Takes the next line into account. A successful kill.engaged stops the agent that it names, or
/// all agents when it names none; kill.released undoes the one or the other, and releasing all
/// leaves agents stopped that were stopped by name. Pure.
void Fold(const ScannedLine& line, const Leaf& leaf, State* state);

/// Why a closed ledger takes nothing: for people. Begins with kClosedWord.
std::string ClosedText(const State& state);
inline constexpr std::string_view kClosedWord = "torn down";

/// Whether lines of this type change more of the state than its head.
bool ChangesState(std::string_view type);

/// Whether `state` forbids an entry of this type for this agent: nothing is released to an agent
/// that was stopped.
bool IsStopped(const State& state, EntryType type, std::string_view agent);

}  // namespace broker::ledger
