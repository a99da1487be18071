#include "sidecar/dialer/http_connect.h"

namespace sidecar::dialer {

std::string ConnectRequest(const HostPort& target) {
  const std::string authority = ToText(target);
  return "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n\r\n";
}

std::expected<bool, SocksReply> ReadConnectAnswer(std::string_view bytes) {
  constexpr std::string_view kStatusLine = "HTTP/1.x 2xx";
  constexpr std::string_view kEnd = "\r\n\r\n";
  const size_t end = bytes.find(kEnd);
  if (end == std::string_view::npos) {
    if (bytes.size() < kMaxProxyHeadBytes) return false;
    return std::unexpected(SocksReply::kGeneralFailure);
  }
  const bool is_http = bytes.size() > kStatusLine.size() && bytes.starts_with("HTTP/1.") &&
                       bytes[8] == ' ' && (bytes[12] == ' ' || bytes[12] == '\r');
  if (!is_http) return std::unexpected(SocksReply::kGeneralFailure);
  const std::string_view status = bytes.substr(9, 3);
  if (status == "401" || status == "403" || status == "407") {
    return std::unexpected(SocksReply::kProxyRefused);
  }
  if (status == "502" || status == "503" || status == "504") {
    return std::unexpected(SocksReply::kHostUnreachable);
  }
  if (status != "200" || end + kEnd.size() != bytes.size()) {
    return std::unexpected(SocksReply::kGeneralFailure);
  }
  return true;
}

}  // namespace sidecar::dialer
