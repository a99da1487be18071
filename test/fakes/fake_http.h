#pragma once
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "broker/ports/http_transport.h"

/// Answers from a queue (or from `respond`) and remembers what was asked. Thread-safe.
class FakeHttp final : public broker::HttpTransport {
 public:
  struct Seen {
    std::string method, url, body;
    std::string authorization;  // of the secret headers; empty: none was sent
  };

  static broker::HttpResponse Answer(int status, std::string_view body) {
    broker::HttpResponse response;
    response.status = status;
    response.body = broker::Secret::CopyOf(body);
    return response;
  }

  void Push(int status, std::string_view body) { queue_.push_back(Answer(status, body)); }
  void Push(broker::HttpResponse response) { queue_.emplace_back(std::move(response)); }
  void PushFailure(broker::ErrorCode code, std::string detail) {
    queue_.push_back(broker::Fail(code, std::move(detail)));
  }

  broker::Result<broker::HttpResponse> Send(const broker::HttpRequest& request) override {
    const std::scoped_lock lock(mutex_);
    seen.push_back(
        {request.method, request.url, std::string(request.body.Expose(broker::Exit::kTest)), {}});
    for (const auto& [name, value] : request.secret_headers) {
      if (name == "Authorization") seen.back().authorization = value.Expose(broker::Exit::kTest);
    }
    if (respond) return respond(request);
    if (queue_.empty())
      return broker::Fail(broker::ErrorCode::kUnavailable, "fake: no answer left");
    auto next = std::move(queue_.front());
    queue_.pop_front();
    return next;
  }

  std::function<broker::Result<broker::HttpResponse>(const broker::HttpRequest&)> respond;
  std::vector<Seen> seen;  // oldest first; read it when no call is under way

 private:
  std::mutex mutex_;
  std::deque<broker::Result<broker::HttpResponse>> queue_;
};
