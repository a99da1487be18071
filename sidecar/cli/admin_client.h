// sidecar/cli/admin_client.h: HTTP over the operator's socket.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "broker/base/result.h"

namespace sidecar::cli {

struct AdminAnswer {
  int status = 0;
  nlohmann::json body;
};

/// One request per call; while purserd has no room for it, again for some seconds. Not thread-safe.
class AdminClient {
 public:
  explicit AdminClient(std::string socket_path) : socket_path_(std::move(socket_path)) {}
  /// `body` null: none is sent. Errors: kUnavailable (nobody listens, no permission, deadline),
  /// kCorrupt (the answer is not JSON).
  broker::Result<AdminAnswer> Call(const std::string& method, const std::string& path,
                                   const nlohmann::json& body = nullptr) const;
  /// Of a route whose answer is text: that, as a JSON string, or a refusal. Errors as above.
  broker::Result<AdminAnswer> GetText(const std::string& path) const;

 private:
  struct Bytes {
    int status = 0;
    std::string body;
  };
  broker::Result<Bytes> Ask(const std::string& method, const std::string& path,
                            const nlohmann::json& body) const;
  broker::Result<Bytes> Exchange(const std::string& method, const std::string& path,
                                 const nlohmann::json& body) const;
  static broker::Result<AdminAnswer> Parse(const Bytes& answer);

  std::string socket_path_;
};

}  // namespace sidecar::cli
