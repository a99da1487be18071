#include "sidecar/window/request_id.h"

#include <sodium.h>

#include <array>
#include <cstdint>
#include <cstring>

namespace sidecar::window {
namespace {

constexpr size_t kTimeBytes = 6;
constexpr size_t kRandomBytes = 16 - kTimeBytes;

// Random bytes for one id. They are fetched for many at once: each fetch is a system call, and ids
// need to be unique, not secret.
void FillRandom(uint8_t* out) {
  constexpr size_t kIdsPerFetch = 32;
  thread_local std::array<uint8_t, kRandomBytes * kIdsPerFetch> pool;
  thread_local size_t used = pool.size();
  if (used == pool.size()) {
    randombytes_buf(pool.data(), pool.size());
    used = 0;
  }
  std::memcpy(out, pool.data() + used, kRandomBytes);
  used += kRandomBytes;
}

}  // namespace

std::string NewRequestId(std::chrono::system_clock::time_point now) {
  std::array<uint8_t, 16> bytes{};
  FillRandom(bytes.data() + kTimeBytes);
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch());
  const auto ms = static_cast<uint64_t>(since.count());
  for (size_t i = 0; i < kTimeBytes; ++i) bytes[i] = static_cast<uint8_t>(ms >> (40 - 8 * i));
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
