#include "sidecar/window/request_id.h"

#include <sodium.h>

#include <array>
#include <cstdint>

namespace sidecar::window {

std::string NewRequestId(std::chrono::system_clock::time_point now) {
  std::array<uint8_t, 16> bytes{};
  randombytes_buf(bytes.data() + 6, bytes.size() - 6);
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch());
  const auto ms = static_cast<uint64_t>(since.count());
  for (size_t i = 0; i < 6; ++i) bytes[i] = static_cast<uint8_t>(ms >> (40 - 8 * i));
  bytes[6] = static_cast<uint8_t>(0x70 | (bytes[6] & 0x0f));  // version
  bytes[8] = static_cast<uint8_t>(0x80 | (bytes[8] & 0x3f));  // variant
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text.push_back('-');
    text.push_back(kHex[bytes[i] >> 4]);
    text.push_back(kHex[bytes[i] & 0x0f]);
  }
  return text;
}

}  // namespace sidecar::window
