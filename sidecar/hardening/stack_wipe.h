// sidecar/hardening/stack_wipe.h: zeroes what finished calls have left on this thread's stack.
#pragma once
#include <cstddef>

namespace sidecar::hardening {

/// How deep WipeStack() looks at most: twice what a TLS handshake takes. The calling thread's stack
/// must reach further down than this.
constexpr size_t kStackWipeBytes = size_t{192} << 10;

/// Zeroes the stack below the caller's frame, where buffers of functions that have returned may
/// still hold a token. Call it from the loop that served a request, when nothing of it is needed.
/// Ends early at memory that was never used, so that an idle thread's stack stays small. A thread
/// that waits for days keeps its stack, and glibc hands the stack of an ended thread to the next.
/// Does nothing in sanitizer builds, which keep their own marks there.
void WipeStack() noexcept;

}  // namespace sidecar::hardening
