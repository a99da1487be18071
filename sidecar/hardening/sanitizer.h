// sidecar/hardening/sanitizer.h: the one concession that sanitizer builds get; others compile to
// nothing.
#pragma once

namespace sidecar::hardening {

/// The leak check at exit clones a tracer that attaches to every thread: exactly what the filter
/// forbids. It is switched off in a process that has hardened itself, and nowhere else.
#ifdef PURSER_SANITIZED
void TellSanitizers();
#else
inline void TellSanitizers() {}
#endif

}  // namespace sidecar::hardening
