// Asks for a token again and again: load_bench SOCKET keep|new CONNECTIONS MILLISECONDS BODY
// A closed loop: each connection sends its next request when it has its answer. One thread.
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstring>
#include <string>
#include <vector>

#include "test/bench/unix_socket.h"

namespace {

using bench::Steady;

constexpr size_t kMaxRequests = 2'000'000;  // of one run
constexpr size_t kMaxConnections = 200;     // purser lets an agent have 256
constexpr size_t kMaxMilliseconds = 8'000;  // purser ends a connection after 100,000 answers

struct Connection {
  int fd = -1;
  Steady::time_point began;
  std::string answer;
};

class Load {
 public:
  Load(std::string path, bool keep, size_t connections, const std::string& body)
      : path_(std::move(path)), keep_(keep), connections_(connections) {
    request_ = "POST /v1/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
               std::string(keep ? "" : "Connection: close\r\n") +
               "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  void Run(Steady::duration how_long) {
    if (keep_) {
      for (Connection& connection : connections_) Open(&connection);
    }
    const auto start = Steady::now();
    until_ = start + how_long;
    for (Connection& connection : connections_) Ask(&connection);
    while (open_requests_ > 0) Receive();
    samples_.Print(Steady::now() - start, failed_);
  }

 private:
  void Open(Connection* connection) {
    connection->fd = bench::Connect(path_);
    if (connections_.size() == 1) return;  // a lone connection blocks in read: nothing to choose
    epoll_event event{.events = EPOLLIN, .data = {.ptr = connection}};
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, connection->fd, &event) != 0) bench::Die("epoll_ctl");
  }

  void Ask(Connection* connection) {
    connection->began = Steady::now();
    if (connection->began >= until_ || samples_.size() >= kMaxRequests) return;
    if (!keep_) Open(connection);
    connection->answer.clear();
    ++open_requests_;
    if (write(connection->fd, request_.data(), request_.size()) !=
        static_cast<ssize_t>(request_.size())) {
      bench::Die("write");
    }
  }

  void Receive() {
    if (connections_.size() == 1) return Read(&connections_.front());
    std::array<epoll_event, 64> events{};
    const int ready = epoll_wait(epoll_, events.data(), events.size(), -1);
    for (int i = 0; i < ready; ++i) {
      Read(static_cast<Connection*>(events[static_cast<size_t>(i)].data.ptr));
    }
  }

  void Read(Connection* connection) {
    std::array<char, 8192> chunk;
    const ssize_t got = read(connection->fd, chunk.data(), chunk.size());
    if (got <= 0) bench::Die("the server hung up");
    connection->answer.append(chunk.data(), static_cast<size_t>(got));
    if (!IsWhole(connection->answer)) return;
    samples_.Add(Steady::now() - connection->began);
    failed_ += connection->answer.starts_with("HTTP/1.1 200 ") ? 0 : 1;
    --open_requests_;
    if (!keep_) close(connection->fd);
    Ask(connection);
  }

  static bool IsWhole(std::string_view answer) {
    constexpr std::string_view kLength = "Content-Length: ";
    const size_t head = answer.find("\r\n\r\n");
    if (head == std::string_view::npos) return false;
    const size_t at = answer.find(kLength);
    if (at > head) bench::Die("an answer without Content-Length");
    size_t length = 0;
    std::from_chars(answer.data() + at + kLength.size(), answer.data() + head, length);
    return answer.size() >= head + 4 + length;
  }

  std::string path_;
  bool keep_;
  std::string request_;
  std::vector<Connection> connections_;
  int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  Steady::time_point until_;
  size_t open_requests_ = 0, failed_ = 0;
  bench::Samples samples_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: load_bench SOCKET keep|new CONNECTIONS MILLISECONDS BODY\n");
    return 2;
  }
  const size_t connections = bench::Bounded(argv[3], kMaxConnections);
  const std::chrono::milliseconds how_long(bench::Bounded(argv[4], kMaxMilliseconds));
  Load(argv[1], std::strcmp(argv[2], "keep") == 0, connections, argv[5]).Run(how_long);
  return 0;
}
