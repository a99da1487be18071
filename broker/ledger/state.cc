#include "broker/ledger/state.h"

#include <algorithm>

namespace broker::ledger {
namespace {

constexpr std::string_view kLastType = "instance.torn_down";

void FoldKill(const ScannedLine& line, State* state) {
  if (line.outcome != "success") return;
  const bool engaged = line.type == "kill.engaged";
  if (line.agent.empty()) {
    state->all_killed = engaged;
  } else if (engaged) {
    state->killed.emplace(line.agent);
  } else if (const auto it = state->killed.find(line.agent); it != state->killed.end()) {
    state->killed.erase(it);
  }
}

void FoldGeneration(const ScannedLine& line, State* state) {
  if (!line.generation || *line.generation < 0) return;
  const auto generation = static_cast<uint64_t>(*line.generation);
  if (line.outcome == "pending") {
    state->store_intended = std::max(state->store_intended, generation);
  } else if (line.outcome == "success") {
    state->store_confirmed = std::max(state->store_confirmed, generation);
  }
}

void FoldArchive(const ScannedLine& line, State* state) {
  if (!line.archived || *line.archived < 0) return;
  const auto last = static_cast<uint64_t>(*line.archived);
  if (line.outcome == "pending") {
    state->archive_intended = std::max(state->archive_intended, last);
  } else if (line.outcome == "success") {
    state->archived = std::max(state->archived, last);
  }
}

}  // namespace

bool ChangesState(std::string_view type) {
  return type.starts_with("kill.") || type.starts_with("secret.") || type == "ledger.archived" ||
         type == kLastType;
}

void Fold(const ScannedLine& line, const Leaf& leaf, State* state) {
  state->seq = line.seq;
  state->leaf = leaf;
  if (line.type == "kill.engaged" || line.type == "kill.released") FoldKill(line, state);
  if (line.type == "ledger.archived") FoldArchive(line, state);
  if (line.type.starts_with("secret.")) FoldGeneration(line, state);
  if (line.type == kLastType) state->closed = true;
}

std::string ClosedText(const State& state) {
  return std::string(kClosedWord) + ": entry " + std::to_string(state.seq) +
         " is the last one of this ledger";
}

bool IsStopped(const State& state, EntryType type, std::string_view agent) {
  const bool releases = type == EntryType::kTokenIssued;
  return releases && (state.all_killed || state.killed.contains(agent));
}

}  // namespace broker::ledger
