// sidecar/cli/await_redirect.h: waits for the answer of a login, by the browser or by hand.
#pragma once
#include <chrono>
#include <expected>
#include <iosfwd>
#include <string>

#include "broker/base/secret.h"
#include "sidecar/cli/loopback_listener.h"

namespace sidecar::cli {

/// Why there is no answer: nobody came in time, a signal, the machine.
enum class NoRedirect { kTimeout, kInterrupted, kFailed };

/// What is said to the person who logs in, and where. Borrows `to`.
struct Spoken {
  std::string prompt;
  std::ostream& to;
};

/// Prompts, waits until `listener` was asked for the answer with `state` or the address was pasted
/// on standard input, and listens no more: what came is for the broker to read. Requests that are
/// something else are answered and forgotten, pasted lines complained about. SIGINT, SIGTERM and
/// SIGHUP end it as kInterrupted, with the terminal as it was.
std::expected<broker::Secret, NoRedirect> AwaitRedirect(LoopbackListener listener,
                                                        const std::string& state,
                                                        std::chrono::seconds longest,
                                                        const Spoken& spoken);

}  // namespace sidecar::cli
