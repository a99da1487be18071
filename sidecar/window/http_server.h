// sidecar/window/http_server.h: the packaged HTTP library, kept away from what comes from outside.
#pragma once
#include <httplib.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace sidecar::window {

/// What is sent back.
struct Reply {
  int status = 500;
  std::string_view body;       // JSON; not empty; borrowed until the answer is sent
  uint32_t retry_after_s = 0;  // 0: no header
  std::string allow;           // empty: no header
  bool close = false;          // the connection ends after this answer
  bool metrics = false;        // the body is no JSON but Prometheus's text form
};

/// Writes the heads of answers. The library never listens, accepts or reads a socket: it is driven
/// from memory through process_request and sees of a request nothing at all, of an answer nothing
/// but what Reply says of it, not its body. Headers and bodies from outside, where the packaged
/// version has its known holes, do not reach it, so it neither compresses nor decodes nor ranges.
/// Not thread-safe.
class HttpServer : private httplib::Server {
 public:
  // Announced in Keep-Alive; the connection ends after so many answers.
  static constexpr size_t kMaxRequests = 100'000;

  explicit HttpServer(int idle_seconds);

  /// The head of the answer, HTTP/1.1, with its empty line; the body follows it, unless the request
  /// was a HEAD. Valid until the next call.
  std::string_view Head(const Reply& reply);

 private:
  // Answers of one length look alike from one to the next, and the library takes as long for a head
  // as all the rest of a request. Heads hold nothing of a body.
  struct Known {
    int status = 0;
    uint32_t retry_after_s = 0;
    size_t body_bytes = 0;
    bool close = false;
    std::string head;

    [[nodiscard]] bool Fits(const Reply& reply) const {
      return status == reply.status && retry_after_s == reply.retry_after_s &&
             body_bytes == reply.body.size() && close == reply.close && reply.allow.empty() &&
             !reply.metrics;
    }
  };
  // More than an agent has kinds of answers at a time; their lengths spread them.
  static constexpr size_t kKnownHeads = 64;

  std::string Write(const Reply& reply);
  void Fill(httplib::Response* response);

  // While Write() runs:
  const Reply* reply_ = nullptr;
  httplib::Request* request_ = nullptr;  // what stands for the request
  bool at_body_ = false;
  bool failed_ = false;

  std::array<Known, kKnownHeads> known_;
};

}  // namespace sidecar::window
