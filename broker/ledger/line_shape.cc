#include "broker/ledger/line_shape.h"

#include "broker/base/plain_run.h"
#include "broker/ledger/canonical_text.h"

namespace broker::ledger {
namespace {

// Fewer than the largest integer has: ScanLine judges those that come close.
constexpr size_t kSafeDigits = 15;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// The length of the number at the start of `text`; 0 where there is none.
size_t Digits(std::string_view text, uint64_t* number) {
  size_t size = 0;
  *number = 0;
  for (; size < text.size() && IsDigit(text[size]); ++size) {
    if (size == kSafeDigits) return 0;
    *number = *number * 10 + static_cast<uint64_t>(text[size] - '0');
  }
  return size > 1 && text[0] == '0' ? 0 : size;
}

std::string_view ScannedLine::* PlaceOf(const char* text, const ScannedLine& scanned) {
  for (const auto place : {&ScannedLine::prev, &ScannedLine::type, &ScannedLine::outcome,
                           &ScannedLine::agent, &ScannedLine::time, &ScannedLine::log}) {
    if ((scanned.*place).data() == text) return place;
  }
  return nullptr;
}

}  // namespace

LineShape::LineShape(std::string_view line, const ScannedLine& scanned) {
  size_t taken = 0;
  const auto add = [&](size_t begin, size_t end, Kind kind) {
    between_ += line.substr(taken, begin - taken);
    values_.push_back({begin - taken, kind, PlaceOf(line.data() + begin, scanned)});
    taken = end;
  };
  int depth = 0;
  std::string_view key;
  for (size_t at = 0; at < line.size(); ++at) {
    const char c = line[at];
    if (c == '{') ++depth;
    if (c == '}') --depth;
    if (c == '"') {
      const size_t begin = at + 1;
      for (++at; line[at] != '"'; ++at) at += line[at] == '\\' ? 1 : 0;
      if (line[at + 1] == ':') {
        key = line.substr(begin, at - begin);
      } else {
        add(begin, at, Kind::kText);
      }
    } else if (IsDigit(c) && !(depth == 1 && key == "v")) {
      const size_t begin = at;
      while (IsDigit(line[at + 1])) ++at;
      add(begin, at + 1, depth == 1 && key == "seq" ? Kind::kSeq : Kind::kNumber);
    }
  }
  between_ += line.substr(taken);
  // "-0" is no number, and change.generation and change.archived are not looked for: such lines are
  // rare, and have no shape.
  if (between_.contains(":-") || scanned.generation || scanned.archived) values_.clear();
}

bool LineShape::Match(std::string_view line, ScannedLine* scanned) const {
  if (values_.empty() || line.size() >= kMaxLineBytes) return false;
  *scanned = ScannedLine{};
  std::string_view between = between_;
  for (const Value& value : values_) {
    if (!line.starts_with(between.substr(0, value.before))) return false;
    between.remove_prefix(value.before);
    line.remove_prefix(value.before);
    size_t size = 0;
    if (value.kind == Kind::kText) {
      size = PlainRun(line);
      if (value.place != nullptr) scanned->*value.place = line.substr(0, size);
    } else {
      uint64_t number = 0;
      size = Digits(line, &number);
      if (size == 0) return false;
      if (value.kind == Kind::kSeq) scanned->seq = number;
    }
    line.remove_prefix(size);
  }
  return line == between && scanned->seq > 0 && IsLeafHex(scanned->prev);
}

bool LineReader::Scan(std::string_view line, ScannedLine* scanned) {
  for (size_t i = 0; i < kShapes; ++i) {
    const size_t shape = (latest_ + i) % kShapes;
    if (!shapes_[shape].Match(line, scanned)) continue;
    latest_ = shape;
    return true;
  }
  if (!ScanLine(line, scanned)) return false;
  latest_ = oldest_;
  shapes_[latest_] = LineShape(line, *scanned);
  oldest_ = (oldest_ + 1) % kShapes;
  return true;
}

}  // namespace broker::ledger
