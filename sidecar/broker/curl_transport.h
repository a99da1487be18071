// sidecar/broker/curl_transport.h: HTTPS through the dialer, with libcurl.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "broker/ports/http_transport.h"

namespace sidecar::broker_role {

/// Speaks SOCKS5 (RFC 1928, names unresolved) on descriptors that it is given and TLS inside: the
/// process itself never calls socket() or connect(). Nothing is taken from the environment, request
/// and answer leave no copy in a buffer that outlives the exchange. Thread-safe: each exchange has
/// a connection to itself, idle connections are used again.
class CurlTransport final : public broker::HttpTransport {
 public:
  // One end of a new stream socket pair whose other end the dialer has. The transport closes it.
  using OpenDialerStream = std::function<broker::Result<int>()>;

  // More idle connections than that are closed: Entra is one host, and minting is rare.
  static constexpr size_t kMaxIdle = 4;
  static constexpr std::chrono::milliseconds kConnectDeadline{10000};

  /// `ca_pem` holds the trusted roots, PEM; nothing else is trusted. REQUIRES: InitCurl()
  /// succeeded. Errors: kInvalidRequest (no certificate in `ca_pem`).
  static broker::Result<std::unique_ptr<CurlTransport>> Create(std::string_view ca_pem,
                                                               OpenDialerStream open);
  ~CurlTransport() override;

  /// Never retries, except that libcurl sends again on a new connection when a reused one turns out
  /// to have been closed before a byte of the answer.
  broker::Result<broker::HttpResponse> Send(const broker::HttpRequest& request) override;

 private:
  struct Roots;       // the parsed certificates
  struct Connection;  // a connection that may be idle
  CurlTransport(std::unique_ptr<Roots> roots, OpenDialerStream open);
  std::unique_ptr<Connection> TakeConnection();
  void GiveBack(std::unique_ptr<Connection> connection);

  std::unique_ptr<Roots> roots_;
  OpenDialerStream open_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;
};

}  // namespace sidecar::broker_role
