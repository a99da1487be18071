// What agents write to a window and read from it, and what a broker answers.
#pragma once
#include <sys/socket.h>

#include <string>
#include <string_view>

#include "sidecar/ipc/frame.h"
#include "sidecar/ipc/messages.h"

namespace window_test {

namespace ipc = sidecar::ipc;

/// The bytes of a kAnswer.
inline std::string Answer(uint16_t status, const std::string& body, uint32_t retry_after_s = 0) {
  std::string out;
  ipc::Encode(ipc::Answer{status, retry_after_s, body}, &out);
  return out;
}

inline void Write(const ipc::Fd& peer, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

/// One answer: up to the end of its body as Content-Length says, or what came before the end.
inline std::string ReadAnswer(const ipc::Fd& peer) {
  std::string got;
  char c = 0;
  size_t want = std::string::npos;
  while (got.size() < want && recv(peer.get(), &c, 1, 0) == 1) {
    got.push_back(c);
    if (want == std::string::npos && got.ends_with("\r\n\r\n")) {
      const size_t at = got.find("Content-Length: ");
      want = got.size() + (at == std::string::npos ? 0 : std::stoul(got.substr(at + 16)));
    }
  }
  return got;
}

inline int StatusOf(const std::string& answer) {
  return answer.starts_with("HTTP/1.1 ") ? std::stoi(answer.substr(9)) : 0;
}

/// Nothing more will come.
inline bool AtEnd(const ipc::Fd& peer) {
  char c = 0;
  return recv(peer.get(), &c, 1, 0) <= 0;
}

inline std::string Post(std::string_view body, std::string_view type = "application/json") {
  std::string request = "POST /v1/token HTTP/1.1\r\nHost: purser\r\nContent-Type: ";
  request.append(type).append("\r\nContent-Length: ").append(std::to_string(body.size()));
  return request.append("\r\n\r\n").append(body);
}

inline std::string Get(std::string_view target) {
  return std::string("GET ").append(target).append(" HTTP/1.1\r\nHost: purser\r\n\r\n");
}

}  // namespace window_test
