#include "sidecar/window/http_server.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace sidecar::window {
namespace {

// Stands for each request: nothing of one travels through the library.
constexpr std::string_view kStandIn = "GET / HTTP/1.1\r\n\r\n";

constexpr const char* kJsonType = "application/json";
constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

// A request to read, and a string that takes what is written until `stop` is set.
class MemoryStream final : public httplib::Stream {
 public:
  MemoryStream(std::string_view in, const bool& stop, std::string* out)
      : in_(in), stop_(stop), out_(out) {}

  bool is_readable() const override { return !in_.empty(); }
  bool is_writable() const override { return true; }
  ssize_t read(char* to, size_t size) override {
    const size_t count = std::min(size, in_.size());
    std::memcpy(to, in_.data(), count);
    in_.remove_prefix(count);
    return static_cast<ssize_t>(count);
  }
  ssize_t write(const char* from, size_t size) override {
    if (!stop_) out_->append(from, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  void get_local_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  socket_t socket() const override { return INVALID_SOCKET; }

 private:
  std::string_view in_;
  const bool& stop_;
  std::string* out_;
};

}  // namespace

HttpServer::HttpServer(int idle_seconds) {
  // Never used, but the library stops sending once it believes that its listener was closed.
  svr_sock_ = 0;
  set_keep_alive_timeout(idle_seconds);
  set_keep_alive_max_count(kMaxRequests);
  // Before the library's own routing, which would try one regular expression after the other.
  set_pre_routing_handler([this](const httplib::Request&, httplib::Response& response) {
    Fill(&response);
    return HandlerResponse::Handled;
  });
  // The library's own would write what() into the answer.
  set_exception_handler([this](const httplib::Request&, httplib::Response&,
                               const std::exception_ptr&) { failed_ = true; });
  // The library makes its tables on first use: here, before there are filters.
  Head({.status = 200, .body = "{}"});
}

void HttpServer::Fill(httplib::Response* response) {
  response->status = reply_->status;
  response->set_header("Cache-Control", "no-store");  // RFC 6749 §5.1
  if (reply_->retry_after_s > 0) {
    response->set_header("Retry-After", std::to_string(reply_->retry_after_s));
  }
  // The library looks at the request's own header when it writes the answer's.
  if (reply_->close) request_->set_header("Connection", "close");
  if (!reply_->allow.empty()) response->set_header("Allow", reply_->allow);
  // A provider, not set_content: the library learns the length, and sees no body.
  response->set_content_provider(reply_->body.size(), reply_->metrics ? kMetricsType : kJsonType,
                                 [this](size_t offset, size_t length, httplib::DataSink& sink) {
                                   at_body_ = true;
                                   return sink.write(reply_->body.data() + offset, length);
                                 });
}

std::string HttpServer::Write(const Reply& reply) {
  reply_ = &reply;
  at_body_ = failed_ = false;
  std::string head;
  MemoryStream stream(kStandIn, at_body_, &head);
  bool closed = false;
  process_request(stream, false, closed,
                  [this](httplib::Request& request) { request_ = &request; });
  if (failed_ || !at_body_) throw std::runtime_error("no head");
  return head;
}

std::string_view HttpServer::Head(const Reply& reply) {
  Known& known = known_[reply.body.size() % kKnownHeads];
  if (!known.Fits(reply)) {
    known.head = Write(reply);
    known.status = reply.status;
    known.retry_after_s = reply.retry_after_s;
    const bool usual = reply.allow.empty() && !reply.metrics;
    known.body_bytes = usual ? reply.body.size() : 0;  // no other body is empty
    known.close = reply.close;
  }
  return known.head;
}

}  // namespace sidecar::window
