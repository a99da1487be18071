// sidecar/hardening/wiping_free.h: an executable that links purser_wiping_free wipes what it frees.
#pragma once

namespace sidecar::hardening {

/// Whether this executable's free() wipes: false in sanitizer builds, whose own allocator would be
/// bypassed. Call it once from main() or a self-test: the reference also makes sure that the
/// replacements were linked.
///
/// What is replaced: free, realloc, reallocarray; operator delete and every library of the process
/// end there. Blocks are wiped to their usable size before the allocator of glibc gets them back.
/// realloc never grows or shrinks in place: the block left behind is wiped too.
/// Not reached: stacks, registers, blocks that are never freed.
[[nodiscard]] bool FreeWipes();

}  // namespace sidecar::hardening
