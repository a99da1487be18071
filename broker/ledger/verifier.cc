#include "broker/ledger/verifier.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "broker/ledger/diagnosis.h"
#include "broker/ledger/line_shape.h"
#include "broker/ledger/segment_name.h"

namespace broker::ledger {
namespace {

using Hex = std::array<char, 64>;

// Arithmetic instead of a table, which lets the compiler take sixteen digits at a time.
Hex HexOf(const Leaf& leaf) {
  Hex hex;
  for (size_t i = 0; i < leaf.size(); ++i) {
    const auto digit = [](unsigned value) {
      return static_cast<char>(value + '0' + (value > 9 ? 'a' - '0' - 10 : 0));
    };
    hex[2 * i] = digit(leaf[i] >> 4);
    hex[2 * i + 1] = digit(leaf[i] & 15U);
  }
  return hex;
}

// In the order of Damage.
constexpr std::array<std::string_view, 13> kNames{
    "changed",    "not_canonical", "removed",     "cut_middle", "reordered",
    "duplicated", "inserted",      "torn_tail",   "cut_tail",   "other_history",
    "misnamed",   "head_missing",  "head_damaged"};

}  // namespace

std::string_view DamageName(Damage damage) { return kNames[static_cast<size_t>(damage)]; }

bool Report::tampered() const {
  return std::ranges::any_of(
      findings, [](const Finding& finding) { return finding.damage != Damage::kTornTail; });
}

struct Verifier::State {
  explicit State(Expectations what) : expected(std::move(what)) {
    if (expected.base) {
      report.state = expected.base->state;
      prev_hex = HexOf(report.state.leaf);
    }
    if (expected.head_file != Expectations::HeadFile::kRead) return;
    head_seq = expected.head.state.seq;
    if (head_seq == 0) head_seq = kNever;  // taken before the first entry: names none
  }

  static constexpr uint64_t kNever = UINT64_MAX;
  Expectations expected;
  uint64_t head_seq = kNever;
  Report report;
  LineReader reader;
  Hex prev_hex = HexOf(kNoLeaf);
  Leaf before_prev = kNoLeaf;  // prev of the last good line
  std::string file;
  std::string last_good_file;
  uint64_t last_good_line = 0;
  uint64_t line = 0;
  uint64_t offset = 0;
  bool first_of_segment = false;
  std::optional<Break> broken;
  std::optional<Finding> torn;

  void Add(Damage damage, std::string where, uint64_t at, uint64_t seq, std::string text) {
    report.findings.push_back({damage, std::move(where), at, seq, std::move(text)});
  }

  void Line(std::string_view text) {
    ++line;
    if (broken) return Follow(text);
    ScannedLine scanned;
    ledger::State& state = report.state;
    if (!reader.Scan(text, &scanned) || scanned.seq != state.seq + 1 ||
        std::memcmp(scanned.prev.data(), prev_hex.data(), prev_hex.size()) != 0) {
      return Open(text);
    }
    if (first_of_segment) CheckName(scanned.seq);
    before_prev = state.leaf;
    Fold(scanned, LeafHash(text), &state);
    prev_hex = HexOf(state.leaf);
    last_good_line = line;
    ++report.entries;
    if (state.seq == head_seq) CompareHead();
    if (expected.anchor && state.seq == expected.anchor->seq) CompareAnchor();
  }

  void CheckName(uint64_t seq) {
    first_of_segment = false;
    last_good_file = file;
    const auto name = ParseSegmentName(file);
    if (name && name->first_seq == seq) return;
    Add(Damage::kMisnamed, file, 1, seq, "is the first of a file whose name says otherwise");
  }

  void CompareHead() {
    const Head& head = expected.head;
    if (head.state.leaf != report.state.leaf) {
      return Add(Damage::kChanged, file, line, report.state.seq,
                 "is not the one that the head file names");
    }
    if (head.state != report.state || head.segment != file || head.offset != offset) {
      Add(Damage::kHeadDamaged, std::string(kHeadFile), 0, report.state.seq,
          "the head file contradicts the entries up to the one that it names");
    }
  }

  void CompareAnchor() {
    if (expected.anchor->leaf == report.state.leaf) return;
    Add(Damage::kOtherHistory, file, line, report.state.seq,
        "is not the one given with --head: this is another history");
  }

  SeenLine Look(std::string_view text) {
    SeenLine seen{.file = file, .line = line, .leaf = LeafHash(text)};
    ScannedLine scanned;
    if (!ScanLine(text, &scanned)) return seen;
    seen.canonical = true;
    seen.seq = scanned.seq;
    seen.prev = ParseLeafHex(scanned.prev).value_or(kNoLeaf);
    return seen;
  }

  void Open(std::string_view text) {
    broken.emplace();
    broken->expected_seq = report.state.seq + 1;
    broken->before = {last_good_file,   last_good_line, true,
                      report.state.seq, before_prev,    report.state.leaf};
    broken->before_prev = before_prev;
    broken->bad = Look(text);
    if (expected.head_file == Expectations::HeadFile::kRead &&
        expected.head.state.seq == broken->expected_seq) {
      broken->known_leaf = expected.head.state.leaf;
    }
  }

  void Follow(std::string_view text) {
    if (broken->following.size() < Break::kFollowing) broken->following.push_back(Look(text));
    ScannedLine scanned;
    if (ScanLine(text, &scanned) && scanned.seq == broken->expected_seq) {
      broken->expected_comes_later = true;
    }
  }

  void CheckEnd() {
    const uint64_t last = report.state.seq;
    const auto cut = [&](uint64_t seq, const char* whose) {
      Add(Damage::kCutTail, file, line, last + 1,
          "is missing: the ledger ends before entry " + std::to_string(seq) + ", which " + whose +
              " names");
    };
    if (head_seq != kNever && head_seq > last) cut(head_seq, "the head file");
    if (expected.anchor && expected.anchor->seq > last) cut(expected.anchor->seq, "--head");
  }

  void CheckHeadFile() {
    using enum Expectations::HeadFile;
    if (report.entries == 0 && !broken) return;
    if (expected.head_file == kMissing && !expected.anchor) {
      Add(Damage::kHeadMissing, std::string(kHeadFile), 0, 0,
          "the head file is missing: a tail that was cut would not show");
    }
    if (expected.head_file == kDamaged) {
      Add(Damage::kHeadDamaged, std::string(kHeadFile), 0, 0, "the head file does not read back");
    }
  }
};

Verifier::Verifier(Expectations expectations)
    : state_(std::make_unique<State>(std::move(expectations))) {}
Verifier::~Verifier() = default;

void Verifier::BeginSegment(const std::string& file) {
  State& s = *state_;
  if (s.torn && !s.broken) {  // only the last segment may end in the middle of a line
    s.broken.emplace();
    s.broken->expected_seq = s.report.state.seq + 1;
    s.broken->bad = {.file = s.torn->file, .line = s.torn->line};
  }
  s.torn.reset();
  // A segment that was begun and not yet written to.
  if (s.first_of_segment && !s.broken) {
    const auto name = ParseSegmentName(s.file);
    if (!name || name->first_seq != s.report.state.seq + 1) {
      s.Add(Damage::kMisnamed, s.file, 0, s.report.state.seq + 1, "does not begin here");
    }
  }
  s.file = file;
  s.line = 0;
  s.offset = 0;
  s.first_of_segment = true;
}

void Verifier::Lines(std::string_view lines) {
  State& s = *state_;
  while (!lines.empty()) {
    const void* newline = std::memchr(lines.data(), '\n', lines.size());
    const auto length = static_cast<size_t>(static_cast<const char*>(newline) - lines.data());
    s.Line(lines.substr(0, length));
    s.offset += length + 1;
    lines.remove_prefix(length + 1);
  }
}

void Verifier::Rest(std::string_view bytes) {
  State& s = *state_;
  if (bytes.empty()) return;
  s.torn = Finding{Damage::kTornTail, s.file, s.line + 1, s.report.state.seq + 1,
                   "was never finished: " + std::to_string(bytes.size()) +
                       " bytes, which the next start moves aside"};
}

Report Verifier::Finish() {
  State& s = *state_;
  if (s.broken) {
    s.report.findings.push_back(Diagnose(*s.broken));
  } else {
    s.CheckEnd();
  }
  if (s.torn && !s.broken && s.report.findings.empty()) s.report.findings.push_back(*s.torn);
  s.CheckHeadFile();
  return std::move(s.report);
}

}  // namespace broker::ledger
