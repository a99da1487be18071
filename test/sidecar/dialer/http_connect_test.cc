#include "sidecar/dialer/http_connect.h"

#include <doctest/doctest.h>

using sidecar::dialer::ConnectRequest, sidecar::dialer::ReadConnectAnswer,
    sidecar::dialer::SocksReply;

TEST_CASE("the request names the target twice, an IPv6 address in brackets") {
  CHECK(ConnectRequest({"a.example", 443}) ==
        "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n");
  CHECK(ConnectRequest({"::1", 443}) == "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n");
}

TEST_CASE("a tunnel stands after 200 and the end of the head, not before") {
  const std::string whole = "HTTP/1.1 200 Connection established\r\nVia: 1.1 p\r\n\r\n";
  for (size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK(ReadConnectAnswer(whole.substr(0, size)) == false);
  }
  CHECK(ReadConnectAnswer(whole) == true);
  CHECK(ReadConnectAnswer("HTTP/1.0 200\r\n\r\n") == true);
}

TEST_CASE("every other answer is an error") {
  struct Row {
    std::string bytes;
    SocksReply reply;
  };
  const Row rows[] = {
      {"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", SocksReply::kProxyRefused},
      {"HTTP/1.1 403 Forbidden\r\n\r\n<html>", SocksReply::kProxyRefused},
      {"HTTP/1.1 401 Unauthorized\r\n\r\n", SocksReply::kProxyRefused},
      {"HTTP/1.1 502 Bad Gateway\r\n\r\n", SocksReply::kHostUnreachable},
      {"HTTP/1.1 504 Gateway Timeout\r\n\r\n", SocksReply::kHostUnreachable},
      {"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\n\r\n", SocksReply::kGeneralFailure},
      {"HTTP/1.1 204 No Content\r\n\r\n", SocksReply::kGeneralFailure},
      {"HTTP/1.1 2000 OK\r\n\r\n", SocksReply::kGeneralFailure},
      {"HTTP/2 200\r\n\r\n", SocksReply::kGeneralFailure},
      {"SSH-2.0-OpenSSH_9.2\r\n\r\n", SocksReply::kGeneralFailure},
      {"\r\n\r\n", SocksReply::kGeneralFailure},
      {"HTTP/1.1 200 OK\r\n\r\n\x15\x03\x01",
       SocksReply::kGeneralFailure},  // bytes behind the head
      {std::string(sidecar::dialer::kMaxProxyHeadBytes, 'x'), SocksReply::kGeneralFailure},
  };
  for (const Row& row : rows) {
    CAPTURE(row.bytes.substr(0, 40));
    const auto read = ReadConnectAnswer(row.bytes);
    REQUIRE_FALSE(read);
    CHECK(read.error() == row.reply);
  }
}
