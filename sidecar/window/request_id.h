// sidecar/window/request_id.h
#pragma once
#include <chrono>
#include <string>

namespace sidecar::window {

/// A new UUID of version 7 (RFC 9562 §5.7): sorts by time, unguessable. Thread-safe.
/// REQUIRES: sodium_init() has succeeded.
std::string NewRequestId(std::chrono::system_clock::time_point now);

}  // namespace sidecar::window
