#include "broker/ledger/line_scanner.h"

#include <algorithm>
#include <array>

#include "broker/base/plain_run.h"
#include "broker/ledger/canonical_text.h"

namespace broker::ledger {
namespace {

// Looked up instead of compared: the loop sees every byte of every key.
constexpr std::array<bool, 256> kIsKeyByte = [] {
  std::array<bool, 256> is_key{};
  for (const char c : std::string_view("abcdefghijklmnopqrstuvwxyz0123456789_")) {
    is_key[static_cast<uint8_t>(c)] = true;
  }
  return is_key;
}();

class Cursor {
 public:
  explicit Cursor(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  [[nodiscard]] bool AtEnd() const { return at_ == end_; }
  [[nodiscard]] char Peek() const { return at_ < end_ ? *at_ : '\0'; }
  bool Eat(char c) {
    if (Peek() != c) return false;
    ++at_;
    return true;
  }
  // A string with its quotes eaten; `*inside` is what stands between them.
  bool String(std::string_view* inside) {
    if (!Eat('"')) return false;
    const char* start = at_;
    while (true) {
      at_ += PlainRun({at_, end_});
      if (at_ == end_) return false;
      if (*at_ == '"') break;
      if (*at_ == '\\') {
        if (end_ - at_ < 2 || (at_[1] != '"' && at_[1] != '\\')) return false;
        at_ += 2;
        continue;
      }
      const size_t wide = WideCharacter({at_, end_});
      if (wide == 0) return false;
      at_ += wide;
    }
    *inside = {start, at_};
    ++at_;
    return true;
  }
  bool Key(std::string_view* key) {
    if (!Eat('"')) return false;
    const char* start = at_;
    while (at_ < end_ && kIsKeyByte[static_cast<uint8_t>(*at_)]) ++at_;
    *key = {start, at_};
    return !key->empty() && Eat('"') && Eat(':');
  }
  bool Integer(int64_t* value) {
    const bool negative = Eat('-');
    const char* digits = at_;
    int64_t sum = 0;
    while (at_ < end_ && *at_ >= '0' && *at_ <= '9') {
      sum = sum * 10 + (*at_++ - '0');
      if (sum > kMaxInteger) return false;
    }
    const bool padded = at_ - digits > 1 && *digits == '0';
    if (at_ == digits || padded || (negative && sum == 0)) return false;
    *value = negative ? -sum : sum;
    return true;
  }
  bool StringList() {
    std::string_view ignored;
    if (!Eat('[')) return false;
    do {
      if (!String(&ignored)) return false;
    } while (Eat(','));
    return Eat(']');
  }

 private:
  const char* at_;
  const char* end_;
};

// Fields without which a line is no entry.
enum Required : uint32_t {
  kBoot = 1U << 0,
  kId = 1U << 1,
  kLog = 1U << 2,
  kNonce = 1U << 3,
  kOutcome = 1U << 4,
  kPrev = 1U << 5,
  kSeq = 1U << 6,
  kTenant = 1U << 7,
  kTime = 1U << 8,
  kType = 1U << 9,
  kVersion = 1U << 10,
  kAll = (1U << 11) - 1,
};

// Strings of the top level that have a meaning here, found by their first two letters: nine
// comparisons for each string would cost more than all else.
struct TextField {
  std::string_view key;
  std::string_view ScannedLine::* place;  // null: only that it is there
  Required bit;
};
constexpr std::array kTextFields = {
    TextField{"boot", nullptr, kBoot},
    TextField{"id", nullptr, kId},
    TextField{"log", &ScannedLine::log, kLog},
    TextField{"nonce", nullptr, kNonce},
    TextField{"outcome", &ScannedLine::outcome, kOutcome},
    TextField{"prev", &ScannedLine::prev, kPrev},
    TextField{"tenant", nullptr, kTenant},
    TextField{"time", &ScannedLine::time, kTime},
    TextField{"type", &ScannedLine::type, kType},
};
constexpr size_t kSlots = 64;
constexpr size_t SlotOf(std::string_view key) {
  const auto second = static_cast<uint8_t>(key.size() > 1 ? key[1] : 0);
  return (static_cast<uint8_t>(key[0]) + size_t{5} * second) % kSlots;
}
constexpr uint8_t kNoField = 0xff;
constexpr std::array<uint8_t, kSlots> kFieldOfSlot = [] {
  std::array<uint8_t, kSlots> slots{};
  slots.fill(kNoField);
  for (size_t i = 0; i < kTextFields.size(); ++i) {
    if (slots[SlotOf(kTextFields[i].key)] != kNoField) throw "two fields share a slot";
    slots[SlotOf(kTextFields[i].key)] = static_cast<uint8_t>(i);
  }
  return slots;
}();

// Most keys differ in their first letter.
bool Follows(std::string_view key, std::string_view last) {
  return last.empty() || key[0] > last[0] || (key[0] == last[0] && key > last);
}

class LineScan {
 public:
  LineScan(std::string_view line, ScannedLine* out) : in_(line), out_(out) {}

  bool Run() {
    if (!in_.Eat('{')) return false;
    std::string_view last;
    do {
      std::string_view key;
      if (!in_.Key(&key) || !Follows(key, last) || !TopValue(key)) return false;
      last = key;
    } while (in_.Eat(','));
    return in_.Eat('}') && in_.AtEnd() && found_ == kAll && IsLeafHex(out_->prev);
  }

 private:
  bool TopValue(std::string_view key) {
    switch (in_.Peek()) {
      case '"':
        return TextValue(key);
      case '{':
        return Object(key);
      case '[':
        return in_.StringList();
      default:
        return NumberValue(key);
    }
  }

  bool TextValue(std::string_view key) {
    std::string_view value;
    if (!in_.String(&value) || key == "seq" || key == "v") return false;
    const uint8_t slot = kFieldOfSlot[SlotOf(key)];
    if (slot == kNoField || kTextFields[slot].key != key) return true;
    const TextField& field = kTextFields[slot];
    if (field.place != nullptr) out_->*field.place = value;
    found_ |= field.bit;
    return true;
  }

  // A number where a text is required leaves its bit unset, which Run() notices.
  bool NumberValue(std::string_view key) {
    int64_t value = 0;
    if (!in_.Integer(&value)) return false;
    if (key == "seq") {
      out_->seq = static_cast<uint64_t>(value);
      found_ |= kSeq;
      return value > 0;
    }
    if (key == "v") found_ |= kVersion;
    return key != "v" || value == 1;
  }

  bool Object(std::string_view outer) {
    if (!in_.Eat('{')) return false;
    std::string_view last;
    do {
      std::string_view key;
      if (!in_.Key(&key) || !Follows(key, last)) return false;
      last = key;
      if (in_.Peek() == '"') {
        std::string_view text;
        if (!in_.String(&text)) return false;
        if (outer == "agent" && key == "name") out_->agent = text;
      } else {
        int64_t number = 0;
        if (!in_.Integer(&number)) return false;
        if (outer == "change" && key == "generation") out_->generation = number;
        if (outer == "change" && key == "archived") out_->archived = number;
      }
    } while (in_.Eat(','));
    return in_.Eat('}');
  }

  Cursor in_;
  ScannedLine* out_;
  uint32_t found_ = 0;
};

}  // namespace

bool ScanLine(std::string_view line, ScannedLine* scanned) {
  *scanned = ScannedLine{};
  return line.size() < kMaxLineBytes && LineScan(line, scanned).Run();
}

std::optional<Member> NextMember(std::string_view* members) {
  if (members->empty()) return std::nullopt;
  const size_t key_end = members->find('"', 1);
  Member member{members->substr(1, key_end - 1), members->substr(key_end + 2)};
  bool quoted = false;
  int depth = 0;
  size_t i = 0;
  for (; i < member.value.size(); ++i) {
    const char c = member.value[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
      continue;
    }
    if (c == ',' && depth == 0) break;
    if (c == '"') quoted = true;
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
  }
  members->remove_prefix(key_end + 2 + std::min(i + 1, member.value.size()));
  member.value = member.value.substr(0, i);
  return member;
}

}  // namespace broker::ledger
