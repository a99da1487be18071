// broker/ledger/verifier.h: whether a ledger is whole, and if not, what was done to it and where.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/ledger/head.h"
#include "broker/ledger/leaf.h"
#include "broker/ledger/state.h"

namespace broker::ledger {

enum class Damage {
  kChanged,       // an entry is not what it was when the next one, or the head, was written
  kNotCanonical,  // a line that no ledger writes
  kRemoved,       // one entry is missing
  kCutMiddle,     // several in a row are
  kReordered,     // an entry stands before one that came earlier
  kDuplicated,    // an entry stands here again
  kInserted,      // two entries claim the same place
  kTornTail,  // an unfinished write at the very end: no tampering, the next start moves it aside
  kCutTail,   // the head names an entry behind the end
  kOtherHistory,  // the entry that the head names is another one, and the chain goes on from it
  kMisnamed,      // a segment's name does not fit its first entry
  kHeadMissing,   // entries without a head file
  kHeadDamaged,   // the head file does not read back, or contradicts the entries up to its own
};

/// "cut_tail": for --json.
std::string_view DamageName(Damage damage);

struct Finding {
  Damage damage;
  std::string file;   // segment or "head"
  uint64_t line = 0;  // 1 is the first of the file; 0: none in particular
  uint64_t seq = 0;   // of the first bad, or first missing, entry
  std::string text;   // a sentence without the place
};

/// What the ledger is held against besides itself.
struct Expectations {
  enum class HeadFile { kRead, kMissing, kDamaged, kIgnore };
  HeadFile head_file = HeadFile::kIgnore;
  Head head;  // with kRead
  struct Anchor {
    uint64_t seq;
    Leaf leaf;
  };
  std::optional<Anchor>
      anchor;  // `--head SEQ:LEAF`, from an operational log; replaces a missing head
  /// What all entries before the first segment amount to, where those are elsewhere. Believed: the
  /// caller holds it against what the ledger recorded (Head in a `.end` file).
  std::optional<Head> base = {};
};

struct Report {
  uint64_t entries = 0;           // good ones, from the first on
  State state;                    // what they amount to
  std::vector<Finding> findings;  // the first thing wrong with the chain, and with head and anchor
  /// Anything but a torn tail.
  [[nodiscard]] bool tampered() const;
};

/// Fed in the order of the segments' names. More than a million entries a second on one core: one
/// scan, one hash, no allocation per entry. Pure. Not thread-safe.
class Verifier {
 public:
  explicit Verifier(Expectations expectations);
  ~Verifier();
  Verifier(Verifier&&) = delete;

  void BeginSegment(const std::string& file);
  /// Whole lines, each with its newline.
  void Lines(std::string_view lines);
  /// What stands behind the last newline of the segment; call it when there is something.
  void Rest(std::string_view bytes);
  Report Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace broker::ledger
