// broker/base/plain_run.h: how much of a text stands in a JSON string as it is.
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace broker {

/// The length of the plain ASCII run (no quote, no backslash, no control byte, nothing above 0x7e)
/// at the start of `text`. Eight bytes a step: writers and readers of JSON spend most of their time
/// here.
inline size_t PlainRun(std::string_view text) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHigh = 0x8080808080808080;
  const auto zero_byte = [](uint64_t v) { return (v - kOnes) & ~v & kHigh; };
  size_t i = 0;
  if constexpr (std::endian::native == std::endian::little) {
    for (; i + 8 <= text.size(); i += 8) {
      uint64_t word = 0;
      std::memcpy(&word, text.data() + i, 8);
      // The lowest marked byte is exact; marks above it may be false, which does not matter.
      const uint64_t stop = (word & kHigh) | ((word - kOnes * 0x20) & ~word & kHigh) |
                            zero_byte(word ^ (kOnes * '"')) | zero_byte(word ^ (kOnes * '\\')) |
                            zero_byte(word ^ (kOnes * 0x7f));
      if (stop != 0) return i + static_cast<size_t>(std::countr_zero(stop)) / 8;
    }
  }
  for (; i < text.size(); ++i) {
    const auto c = static_cast<uint8_t>(text[i]);
    if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\') break;
  }
  return i;
}

}  // namespace broker
