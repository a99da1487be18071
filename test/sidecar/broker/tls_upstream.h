#pragma once
#include <openssl/ssl.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "broker/base/result.h"

/// The far side of the transport in one: the dialer's SOCKS5 and, in the same stream, an HTTPS
/// server with its own root. Every stream is served by a thread of its own.
class TlsUpstream {
 public:
  struct Script {
    std::string host = "login.test";  // what the certificate is for
    unsigned char socks_reply = 0;    // other than 0: refused, as RFC 1928 numbers them
    int max_tls = 0;                  // 0: any; else TLS1_1_VERSION and so on
    bool close_after_answer = false;
    bool plain = false;             // speaks HTTP without TLS
    bool silent = false;            // takes the request and never answers
    bool in_other_process = false;  // serves each stream from a forked child, not from a thread
    /// From a whole request to the bytes of the answer.
    std::function<std::string(const std::string&)> answer;
  };

  explicit TlsUpstream(Script script);
  ~TlsUpstream();

  /// For CurlTransport: one end of a pair, whose other end is served here.
  broker::Result<int> Open();
  /// The root that the certificate was signed with (it signed itself).
  [[nodiscard]] std::string ca_pem() const { return ca_pem_; }
  [[nodiscard]] int streams() const { return streams_; }
  /// "host:port" of the last SOCKS request.
  [[nodiscard]] std::string asked_for();

  static std::string Http(const std::string& status_and_headers, const std::string& body) {
    return "HTTP/1.1 " + status_and_headers + "\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
  }

 private:
  void Serve(int fd);
  bool Socks(int fd);
  bool AnswerOne(SSL* ssl);

  Script script_;
  std::string ca_pem_;
  SSL_CTX* context_ = nullptr;
  std::atomic<int> streams_ = 0;
  std::mutex mutex_;
  std::string asked_for_;
  std::vector<int> fds_;
  std::vector<std::thread> threads_;
  std::vector<pid_t> children_;
};
