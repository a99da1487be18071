#include "broker/ledger/diagnosis.h"

namespace broker::ledger {
namespace {

Finding At(Damage damage, const SeenLine& where, uint64_t seq, std::string text) {
  return {damage, where.file, where.line, seq, std::move(text)};
}

// The line has the right seq, but its `prev` is not the leaf of the line before: one of the two was
// changed. Whoever is still vouched for by a later line, or by the head, is not the one.
Finding DiagnosePrev(const Break& b) {
  const bool vouched_for_by_next =
      !b.following.empty() && b.following[0].canonical && b.following[0].prev == b.bad.leaf;
  const bool vouched_for_by_head = b.known_leaf && *b.known_leaf == b.bad.leaf;
  const bool anybody_knows = !b.following.empty() || b.known_leaf;
  if (b.before.seq == 0) {
    return At(Damage::kChanged, b.bad, b.expected_seq, "the first entry has a predecessor");
  }
  if (vouched_for_by_next || vouched_for_by_head) {
    return At(Damage::kChanged, b.before, b.before.seq,
              "was changed: the next entry knows another");
  }
  if (anybody_knows) {
    return At(Damage::kChanged, b.bad, b.expected_seq,
              "was changed: it does not follow from the entry before");
  }
  return At(Damage::kChanged, b.before, b.before.seq, "or the one after it was changed");
}

Finding DiagnoseLaterSeq(const Break& b) {
  const uint64_t missing = b.bad.seq - b.expected_seq;
  if (b.expected_comes_later) {
    return At(Damage::kReordered, b.bad, b.bad.seq,
              "stands before entry " + std::to_string(b.expected_seq));
  }
  if (missing == 1) {
    return At(Damage::kRemoved, b.bad, b.expected_seq, "was removed: the next one stands here");
  }
  return At(Damage::kCutMiddle, b.bad, b.expected_seq,
            "and " + std::to_string(missing - 1) + " more were removed: entry " +
                std::to_string(b.bad.seq) + " stands here");
}

Finding DiagnoseEarlierSeq(const Break& b) {
  if (b.bad.seq + 1 == b.expected_seq && b.bad.leaf != b.before.leaf &&
      b.bad.prev == b.before_prev) {
    // Two lines follow the same one; the genuine one is the one that its successor follows.
    const bool bad_is_genuine =
        !b.following.empty() && b.following[0].canonical && b.following[0].prev == b.bad.leaf;
    return At(Damage::kInserted, bad_is_genuine ? b.before : b.bad, b.bad.seq,
              "was inserted: two entries claim this place");
  }
  return At(Damage::kDuplicated, b.bad, b.bad.seq, "stands here again");
}

}  // namespace

Finding Diagnose(const Break& b) {
  if (!b.bad.canonical) {
    return At(Damage::kNotCanonical, b.bad, b.expected_seq, "is not a line that a ledger writes");
  }
  if (b.bad.seq == b.expected_seq) return DiagnosePrev(b);
  const bool place_fits = !b.following.empty() && b.following[0].canonical &&
                          b.following[0].seq == b.expected_seq + 1 && b.bad.leaf != b.before.leaf;
  if (place_fits) {
    return At(Damage::kChanged, b.bad, b.expected_seq, "was changed: it calls itself another");
  }
  return b.bad.seq > b.expected_seq ? DiagnoseLaterSeq(b) : DiagnoseEarlierSeq(b);
}

}  // namespace broker::ledger
