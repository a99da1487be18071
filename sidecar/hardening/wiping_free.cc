#include "sidecar/hardening/wiping_free.h"

#ifdef PURSER_SANITIZED

bool sidecar::hardening::FreeWipes() { return false; }

#else

#include <malloc.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

// glibc's own names for its allocator, exported for replacements such as these (GLIBC_2.2.5).
extern "C" {
void __libc_free(void* block) noexcept;     // NOLINT(bugprone-reserved-identifier)
void* __libc_malloc(size_t size) noexcept;  // NOLINT(bugprone-reserved-identifier)
}

namespace {

// A call through a volatile pointer cannot be dropped as a dead store to memory about to be freed.
using Fill = void* (*)(void*, int, size_t);
Fill volatile g_fill = &std::memset;

void WipeAndFree(void* block) {
  g_fill(block, 0, malloc_usable_size(block));
  __libc_free(block);
}

// Shrinking to less than half moves, so that memory comes back; else the block stays as it is.
bool Fits(size_t usable, size_t size) { return size <= usable && size >= usable / 2; }

}  // namespace

extern "C" {

void free(void* block) noexcept {
  if (block != nullptr) WipeAndFree(block);
}

void* realloc(void* block, size_t size) noexcept {
  if (block == nullptr) return __libc_malloc(size);
  if (size == 0) {  // glibc's meaning
    WipeAndFree(block);
    return nullptr;
  }
  const size_t usable = malloc_usable_size(block);
  if (Fits(usable, size)) return block;
  void* const moved = __libc_malloc(size);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, block, size < usable ? size : usable);
  WipeAndFree(block);
  return moved;
}

void* reallocarray(void* block, size_t count, size_t size) noexcept {
  size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return nullptr;
  }
  return realloc(block, bytes);
}

}  // extern "C"

bool sidecar::hardening::FreeWipes() { return true; }

#endif
