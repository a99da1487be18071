#include "sidecar/hardening/stack_wipe.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <thread>

using sidecar::hardening::WipeStack;

#ifndef PURSER_SANITIZED  // reading a finished call's frame is what AddressSanitizer reports

namespace {

constexpr size_t kBufferBytes = size_t{16} << 10;
constexpr size_t kDeepBytes = size_t{100} << 10;

constexpr uint64_t kMark = 0xc3a5'96d2'1f7b'e408;

// Leaves a mark in each of its words, as a library's buffer would; the address outlives the call.
template <size_t kBytes>
__attribute__((noinline)) uintptr_t LeaveBehind() {
  volatile uint64_t buffer[kBytes / sizeof(uint64_t)];
  for (auto& word : buffer) word = kMark;
  return reinterpret_cast<uintptr_t>(buffer);
}

__attribute__((noinline)) size_t CountMarks(uintptr_t at, size_t bytes) {
  size_t marks = 0;
  for (size_t i = 0; i < bytes; i += sizeof(uint64_t)) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): no object is there any more
    marks += *reinterpret_cast<volatile uint64_t*>(at + i) == kMark ? 1 : 0;
  }
  return marks;
}

}  // namespace

TEST_CASE("what a finished call left on the stack is gone") {
  const uintptr_t left = LeaveBehind<kBufferBytes>();
  REQUIRE(CountMarks(left, kBufferBytes) > kBufferBytes / 16);
  WipeStack();
  CHECK(CountMarks(left, kBufferBytes) == 0);
}

TEST_CASE("as deep as a TLS handshake, on a thread's stack") {
  size_t before = 0;
  size_t after = 0;
  std::thread([&] {
    const uintptr_t left = LeaveBehind<kDeepBytes>();
    before = CountMarks(left, kDeepBytes);
    WipeStack();
    after = CountMarks(left, kDeepBytes);
  }).join();
  CHECK(before > kDeepBytes / 16);
  CHECK(after == 0);
}

#endif

TEST_CASE("the caller's own variables stay") {
  volatile uint64_t mine[64];
  for (uint64_t i = 0; i < 64; ++i) mine[i] = ~i;
  WipeStack();
  for (uint64_t i = 0; i < 64; ++i) CHECK(mine[i] == ~i);
}
