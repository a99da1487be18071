// sidecar/window/http_server.h: the packaged HTTP library, kept away from what comes from outside.
#pragma once
#include <httplib.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace sidecar::window {

/// What is sent back.
struct Reply {
  int status = 500;
  std::string_view body;       // JSON; not empty; borrowed until Serve returns
  uint32_t retry_after_s = 0;  // 0: no header
  std::string allow;           // empty: no header
  bool close = false;          // the connection ends after this answer
};

/// Writes answers. The library never listens, accepts or reads a socket: it is driven from memory
/// through process_request, and sees of each request the method and path that the framer let
/// through. Headers and bodies from outside, where the packaged version has its known holes, do not
/// reach it, so it neither compresses nor decodes nor ranges. Thread-safe.
class HttpServer : private httplib::Server {
 public:
  // Announced in Keep-Alive; the connection ends after so many answers.
  static constexpr size_t kMaxRequests = 100'000;

  explicit HttpServer(int idle_seconds);

  /// Runs `answer` and appends its reply, as HTTP/1.1, to `*out`. An exception becomes a 500 that
  /// says nothing of it.
  void Serve(std::string_view method, std::string_view path, const std::function<Reply()>& answer,
             std::string* out);
};

}  // namespace sidecar::window
