#include "sidecar/window/http_server.h"

#include <algorithm>
#include <cstring>

#include "broker/answer.h"

namespace sidecar::window {
namespace {

// What this thread serves. Handlers find it here: nothing of it travels in headers.
struct Current {
  const std::function<Reply()>& answer;
  httplib::Request* request = nullptr;
};
thread_local Current* current = nullptr;

// A request line to read, and a string to write to.
class MemoryStream final : public httplib::Stream {
 public:
  MemoryStream(std::string_view in, std::string* out) : in_(in), out_(out) {}

  bool is_readable() const override { return !in_.empty(); }
  bool is_writable() const override { return true; }
  ssize_t read(char* to, size_t size) override {
    const size_t count = std::min(size, in_.size());
    std::memcpy(to, in_.data(), count);
    in_.remove_prefix(count);
    return static_cast<ssize_t>(count);
  }
  ssize_t write(const char* from, size_t size) override {
    out_->append(from, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  void get_local_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  socket_t socket() const override { return INVALID_SOCKET; }

 private:
  std::string_view in_;
  std::string* out_;
};

void Fill(const Reply& reply, httplib::Response* response) {
  response->status = reply.status;
  response->set_header("Cache-Control", "no-store");  // RFC 6749 §5.1
  if (reply.retry_after_s > 0) {
    response->set_header("Retry-After", std::to_string(reply.retry_after_s));
  }
  // The library looks at the request's own header when it writes the answer's.
  if (reply.close && current->request != nullptr)
    current->request->set_header("Connection", "close");
  if (!reply.allow.empty()) response->set_header("Allow", reply.allow);
  // A provider, not set_content: the library keeps no copy of a body that may hold a token.
  response->set_content_provider(
      reply.body.size(), "application/json",
      [body = reply.body](size_t offset, size_t length, httplib::DataSink& sink) {
        return sink.write(body.data() + offset, length);
      });
}

void FillInternalError(httplib::Response* response) {
  static const std::string body =
      broker::RenderRefusal({broker::Reason::kInternal, {}, {}, {}}, {}, std::nullopt);
  Fill({.status = 500, .body = body, .close = true}, response);
}

}  // namespace

HttpServer::HttpServer(int idle_seconds) {
  // Never used, but the library stops sending once it believes that its listener was closed.
  svr_sock_ = 0;
  set_keep_alive_timeout(idle_seconds);
  set_keep_alive_max_count(kMaxRequests);
  // Before the library's own routing, which would try one regular expression after the other.
  set_pre_routing_handler([](const httplib::Request&, httplib::Response& response) {
    Fill(current->answer(), &response);
    return HandlerResponse::Handled;
  });
  set_exception_handler([](const httplib::Request&, httplib::Response& response,
                           const std::exception_ptr&) { FillInternalError(&response); });
  // The library makes its tables on first use: here, before there are threads and filters.
  std::string discarded;
  Serve("GET", "/", [] { return Reply{.status = 200, .body = "{}"}; }, &discarded);
}

void HttpServer::Serve(std::string_view method, std::string_view path,
                       const std::function<Reply()>& answer, std::string* out) {
  std::string request_line(method);
  request_line.append(" ").append(path).append(" HTTP/1.1\r\n\r\n");
  MemoryStream stream(request_line, out);
  Current here{answer};
  current = &here;
  bool closed = false;
  process_request(stream, false, closed,
                  [](httplib::Request& request) { current->request = &request; });
  current = nullptr;
}

}  // namespace sidecar::window
