// sidecar/window/head.h: the request line and headers of one request, read strictly. Pure.
#pragma once
#include <cstddef>
#include <expected>
#include <string_view>

#include "broker/reason.h"

namespace sidecar::window {

/// What purser uses of a request's head. All views point into the bytes that were read.
struct Head {
  std::string_view method;  // "POST"
  std::string_view path;    // "/v1/token"
  std::string_view query;   // "after=7"; empty without '?'
  std::string_view content_type;
  std::string_view authorization;
  std::string_view traceparent;
  std::string_view prefer;
  std::string_view session;  // of a person on the operator's socket; no other one reads it
  size_t content_length = 0;
  bool close = false;  // the sender asked for the connection to end after the answer
};

struct HeadLimits {
  // The longest request of any route has 150 bytes; HTTP clients send about as much in headers.
  static constexpr size_t kMaxRequestLineBytes = 1024;
  static constexpr size_t kMaxHeadBytes = size_t{8} << 10;
  static constexpr size_t kMaxHeaders = 64;
  // Twice what the broker gives out.
  static constexpr size_t kMaxSessionBytes = 128;
  // The largest request is a token request with claims, or a sealed certificate with its key.
  static constexpr size_t kMaxBodyBytes = size_t{64} << 10;
};

/// Reads a head that ends with its empty line and holds nothing but printable ASCII and CRLF
/// (Framer sees to that). RFC 9112 without its leniency: origin-form target, no obs-fold, no space
/// before a colon, one Content-Length in decimal, no Transfer-Encoding. Of `*head`, method and path
/// are set as soon as they are known, so that a refusal can be told by its route.
std::expected<void, broker::Refusal> ParseHead(std::string_view bytes, Head* head);

}  // namespace sidecar::window
