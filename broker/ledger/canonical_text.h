// broker/ledger/canonical_text.h: which text may stand in a line, and where the scanner stops.
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace broker::ledger {

/// Longest line with its newline. Log Analytics truncates fields of 64 KiB, and a tile entry of
/// C2SP tlog-tiles holds 65,535 bytes: 16 KiB passes both, escaped or not.
inline constexpr size_t kMaxLineBytes = size_t{16} << 10;

/// RFC 8785 numbers are IEEE 754 doubles: integers beyond 2^53 - 1 would change in another reader.
inline constexpr int64_t kMaxInteger = (int64_t{1} << 53) - 1;

/// The length of the plain ASCII run (no quote, no backslash, no control byte, nothing above 0x7e)
/// at the start of `text`. Eight bytes a step: most of a verifier's time is spent here.
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

/// The length of the one character beyond ASCII at the start of `text`, or 0 if it is not well
/// formed UTF-8 (RFC 3629: overlong forms, surrogates and values above U+10FFFF are not) or a
/// control character (U+0080 to U+009F).
size_t WideCharacter(std::string_view text);

}  // namespace broker::ledger
