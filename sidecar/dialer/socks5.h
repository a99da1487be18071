// sidecar/dialer/socks5.h: the part of SOCKS5 (RFC 1928) that the broker's libcurl speaks. Pure.
#pragma once
#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "sidecar/dialer/host_list.h"

namespace sidecar::dialer {

/// RFC 1928 §6, the REP field. libcurl reports the numbers that the RFC gives, and one word for all
/// others: the broker tells an operator what is wrong with the way there (curl_exchange.cc).
enum class SocksReply : uint8_t {
  kSucceeded = 0,
  kGeneralFailure = 1,
  kNotAllowed = 2,  // not on the host list
  kNetworkUnreachable = 3,
  kHostUnreachable = 4,
  kConnectionRefused = 5,
  kTtlExpired = 6,  // here: the proxy on the way cannot be reached, or gives no answer
  kCommandNotSupported = 7,
  kAddressTypeNotSupported = 8,
  kProxyRefused = 9,  // not the RFC's: the proxy on the way lets nobody through
};

// Version, number of methods, 255 methods; version, command, reserved, type, length, 255, port.
inline constexpr size_t kMaxGreetingBytes = 2 + 255;
inline constexpr size_t kMaxRequestBytes = 4 + 1 + 255 + 2;

/// True for a complete greeting that offers "no authentication" (nothing else is spoken here: the
/// channel is the identity), false while bytes are missing. An error for anything else, bytes after
/// the greeting included: a client waits for the answer.
std::expected<bool, SocksReply> ParseGreeting(std::string_view bytes);

/// The target of a complete CONNECT request, nothing while bytes are missing. Errors: the reply to
/// send. A name is taken as CanonicalHost has it.
std::expected<std::optional<HostPort>, SocksReply> ParseRequest(std::string_view bytes);

/// Answers to the two. The bound address is not told: zeros.
inline constexpr std::array<char, 2> kNoAuthentication{5, 0};
inline constexpr std::array<char, 2> kNoAcceptableMethod{5, '\xff'};
std::array<char, 10> ReplyBytes(SocksReply reply);

}  // namespace sidecar::dialer
