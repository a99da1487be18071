// sidecar/dialer/connect.h: from a name to a connected socket.
#pragma once
#include <expected>
#include <optional>

#include "sidecar/dialer/socks5.h"
#include "sidecar/dialer/stream_io.h"
#include "sidecar/ipc/frame.h"

namespace sidecar::dialer {

/// Connects to `target`, or to `proxy` and through it (the proxy resolves the name then).
///
/// Tries every address of the name in the resolver's order until the deadline. Which addresses a
/// name may have is not restricted: private endpoints of Key Vault and proxies are in private
/// ranges, and TLS, checked in the broker, says who answers. Resolving blocks as long as
/// /etc/resolv.conf makes it (getaddrinfo cannot be interrupted); the deadline is looked at after
/// it.
///
/// Errors: kHostUnreachable (no such name, no answer in time) · kConnectionRefused ·
/// kNetworkUnreachable · those of ReadConnectAnswer.
std::expected<ipc::Fd, SocksReply> Connect(const HostPort& target,
                                           const std::optional<HostPort>& proxy, Deadline deadline);

}  // namespace sidecar::dialer
