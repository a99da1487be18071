// broker/ledger/diagnosis.h: from the lines around the first break of a chain to its cause.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/ledger/leaf.h"
#include "broker/ledger/verifier.h"

namespace broker::ledger {

/// One line at or near the break.
struct SeenLine {
  std::string file;
  uint64_t line = 0;
  bool canonical = false;
  uint64_t seq = 0;  // with canonical
  Leaf prev{};       // with canonical
  Leaf leaf{};
};

/// The break and its surroundings. Pure.
struct Break {
  static constexpr size_t kFollowing = 2;  // lines behind the bad one that are looked at

  uint64_t expected_seq = 0;
  SeenLine before;                  // the last line that fitted; seq 0: the bad one is the first
  Leaf before_prev{};               // and what that line had as prev
  SeenLine bad;                     // the first that does not
  std::vector<SeenLine> following;  // at most kFollowing
  bool expected_comes_later = false;
  std::optional<Leaf> known_leaf;  // of `expected_seq`, from head or anchor
};

Finding Diagnose(const Break& broken);

}  // namespace broker::ledger
