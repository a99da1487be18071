#include "broker/ledger/canonical_text.h"

#include <array>

namespace broker::ledger {

size_t WideCharacter(std::string_view text) {
  const auto byte = [&text](size_t i) -> uint32_t {
    return i < text.size() ? static_cast<uint8_t>(text[i]) : 0;
  };
  const uint32_t first = byte(0);
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (length == 0 || first > 0xf4) return 0;
  uint32_t value = first & (0xffU >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return 0;
    value = value << 6 | (byte(i) & 0x3fU);
  }
  const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  const bool control = value < 0xa0;
  return overlong || surrogate || control || value > 0x10ffff ? 0 : length;
}

bool IsLeafHex(std::string_view text) {
  // Looked up, without a branch: every prev of every line comes by here.
  static constexpr std::array<uint8_t, 256> kIsHex = [] {
    std::array<uint8_t, 256> is_hex{};
    for (const char c : std::string_view("0123456789abcdef")) is_hex[static_cast<uint8_t>(c)] = 1;
    return is_hex;
  }();
  if (text.size() != 64) return false;
  uint8_t all = 1;
  for (const char c : text) all &= kIsHex[static_cast<uint8_t>(c)];
  return all != 0;
}

}  // namespace broker::ledger
