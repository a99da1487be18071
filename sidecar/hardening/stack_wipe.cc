#include "sidecar/hardening/stack_wipe.h"

#ifdef PURSER_SANITIZED

void sidecar::hardening::WipeStack() noexcept {}

#else

#include <cstdint>

namespace sidecar::hardening {
namespace {

// What this function itself occupies below its frame address, in a build without optimisation too.
constexpr uintptr_t kOwnFrameBytes = 256;
constexpr uintptr_t kPageBytes = 4096;
// No frame has a larger gap that it never touches: libraries' buffers are of 16 KiB at most.
constexpr size_t kUnusedPages = 8;

// Zeroes the first bytes below its caller, where the frame of WipeBelow() will be.
__attribute__((noinline)) void WipeTop() noexcept {
  volatile unsigned char top[2 * kOwnFrameBytes];
  for (auto& byte : top) byte = 0;
}

// Calls nothing: a call would have its frame where this writes. Memory that is zero is only read:
// an untouched page of a stack then costs no memory of its own.
__attribute__((noinline)) void WipeBelow() noexcept {
  uintptr_t at = reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) - kOwnFrameBytes;
  const uintptr_t deepest = at - kStackWipeBytes;
  size_t unused = 0;
  while (at > deepest && unused < kUnusedPages) {
    const uintptr_t page = (at - 1) & ~(kPageBytes - 1);
    bool used = false;
    for (; at > page; at -= sizeof(uint64_t)) {
      // NOLINTNEXTLINE(performance-no-int-to-ptr): no object is there any more
      auto* const word = reinterpret_cast<volatile uint64_t*>(at - sizeof(uint64_t));
      if (*word == 0) continue;
      *word = 0;
      used = true;
    }
    unused = used ? 0 : unused + 1;
  }
}

}  // namespace

void WipeStack() noexcept {
  WipeTop();
  WipeBelow();
}

}  // namespace sidecar::hardening

#endif
