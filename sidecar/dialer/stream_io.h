// sidecar/dialer/stream_io.h: waiting on sockets with a deadline.
#pragma once
#include <chrono>
#include <span>
#include <string_view>

namespace sidecar::dialer {

using Deadline = std::chrono::steady_clock::time_point;

/// Milliseconds for poll(2), rounded up; 0 when it has passed.
int RemainingMs(Deadline deadline);

/// Waits for `events` (POLLIN, POLLOUT) on a socket. False at the deadline.
bool WaitFor(int fd, short events, Deadline deadline);

/// Writes all, on a blocking or non-blocking socket. False when the peer is gone or the deadline
/// has passed.
bool SendAll(int fd, std::string_view bytes, Deadline deadline);

/// Reads what is there, at least one byte. 0: the peer has closed, failed, or the deadline passed.
size_t ReceiveSome(int fd, std::span<char> into, Deadline deadline);

}  // namespace sidecar::dialer
