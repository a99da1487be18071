#include "broker/ledger/segment_name.h"

#include <algorithm>
#include <charconv>

#include "broker/ledger/line_writer.h"

namespace broker::ledger {
namespace {

constexpr std::string_view kSuffix = ".jsonl";
constexpr size_t kDateLength = 10;
constexpr size_t kSeqDigits = 12;  // a thousand entries a second for thirty years

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsDate(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 4 || i == 7;
    if (dash ? text[i] != '-' : !IsDigit(text[i])) return false;
  }
  return text.size() == kDateLength;
}

}  // namespace

std::string FormatSegmentName(const SegmentName& name) {
  std::string digits = std::to_string(name.first_seq);
  if (digits.size() < kSeqDigits) digits.insert(0, kSeqDigits - digits.size(), '0');
  return name.date + "." + digits + std::string(kSuffix);
}

std::optional<SegmentName> ParseSegmentName(std::string_view file) {
  if (file.size() != kDateLength + 1 + kSeqDigits + kSuffix.size()) return std::nullopt;
  const std::string_view date = file.substr(0, kDateLength);
  const std::string_view digits = file.substr(kDateLength + 1, kSeqDigits);
  if (!IsDate(date) || file[kDateLength] != '.' || !std::ranges::all_of(digits, IsDigit) ||
      !file.ends_with(kSuffix)) {
    return std::nullopt;
  }
  SegmentName name{std::string(date), 0};
  std::from_chars(digits.data(), digits.data() + digits.size(), name.first_seq);
  return name;
}

std::string DateOf(std::chrono::system_clock::time_point time) {
  std::string text;
  AppendTime(time, &text);
  text.resize(kDateLength);
  return text;
}

}  // namespace broker::ledger
