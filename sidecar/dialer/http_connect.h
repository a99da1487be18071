// sidecar/dialer/http_connect.h: the CONNECT method of an HTTP proxy (RFC 9110 §9.3.6). Pure.
#pragma once
#include <expected>
#include <string>
#include <string_view>

#include "sidecar/dialer/socks5.h"

namespace sidecar::dialer {

// A proxy's answer is a status line and a few fields; block pages are long, but their heads are
// not.
inline constexpr size_t kMaxProxyHeadBytes = size_t{8} << 10;

std::string ConnectRequest(const HostPort& target);

/// Looks at what a proxy has answered so far. True: the tunnel stands, and the head ended with the
/// last byte. False: more bytes are needed. Errors: kProxyRefused (401, 403, 407: the proxy's rules
/// or wish for credentials, which purser does not give) · kHostUnreachable (502, 503, 504) ·
/// kGeneralFailure (anything else: other statuses, no HTTP, too long, bytes behind the head, since
/// with TLS the client speaks first).
std::expected<bool, SocksReply> ReadConnectAnswer(std::string_view bytes);

}  // namespace sidecar::dialer
