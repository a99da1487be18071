#include "sidecar/hardening/sanitizer.h"

#ifdef PURSER_SANITIZED

namespace {
bool hardened = false;
}  // namespace

// Named by <sanitizer/lsan_interface.h>: asked when the leak check is about to run.
extern "C" __attribute__((visibility("default"))) int __lsan_is_turned_off() {
  return hardened ? 1 : 0;
}

namespace sidecar::hardening {
void TellSanitizers() { hardened = true; }
}  // namespace sidecar::hardening

#endif
