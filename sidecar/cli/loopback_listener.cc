#include "sidecar/cli/loopback_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "sidecar/cli/redirect_request.h"

namespace sidecar::cli {
namespace {

using broker::ErrorCode, broker::Fail, broker::Secret;

// Somebody else may have the same port of the other family; that happens rarely, and never twenty
// times in a row.
constexpr int kAttempts = 20;

constexpr std::string_view kDone =
    "purser has what it waited for. Whether the login succeeded the command says, where you "
    "started it. You may close this window.";

struct Reply {
  const char* status;
  std::string_view text;
};

Reply ReplyTo(RedirectRequest::State state) {
  switch (state) {
    case RedirectRequest::State::kOtherPath:
      return {"404 Not Found", "There is nothing here."};
    case RedirectRequest::State::kOtherMethod:
      return {"405 Method Not Allowed", "Only GET is served here."};
    case RedirectRequest::State::kTooLarge:
      return {"431 Request Header Fields Too Large", "The request is too large."};
    case RedirectRequest::State::kMore:
      return {"408 Request Timeout", "The request did not arrive in time."};
    case RedirectRequest::State::kComplete:
      return {"400 Bad Request", "This is not the answer of the login that purser waits for."};
    case RedirectRequest::State::kMalformed:
      break;
  }
  return {"400 Bad Request", "This is no request that is served here."};
}

// Nothing of the request is in it. It fits every socket's buffer: no write waits, and what a peer
// that is gone does not get does not matter.
void Send(int fd, const Reply& reply) {
  const std::string page =
      "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>purser</title><p>" +
      std::string(reply.text) + "</p></html>\n";
  const std::string answer = "HTTP/1.1 " + std::string(reply.status) +
                             "\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: " +
                             std::to_string(page.size()) +
                             "\r\nConnection: close\r\nCache-Control: no-store\r\n"
                             "Referrer-Policy: no-referrer\r\n"
                             "Content-Security-Policy: default-src 'none'\r\n"
                             "X-Content-Type-Options: nosniff\r\n\r\n" +
                             page;
  [[maybe_unused]] const ssize_t sent =
      send(fd, answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  shutdown(fd, SHUT_WR);
}

int ListenOn(const sockaddr* address, socklen_t size) {
  const int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const int on = 1;
  const bool only = address->sa_family != AF_INET6 ||
                    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0;
  if (only && bind(fd, address, size) == 0 && listen(fd, SOMAXCONN) == 0) return fd;
  const int why = errno;
  close(fd);
  errno = why;
  return -1;
}

int ListenOnIpv4(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ListenOn(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

int ListenOnIpv6(uint16_t port) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  address.sin6_addr = in6addr_loopback;
  return ListenOn(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

uint16_t PortOf(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port
                   : reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

}  // namespace

struct LoopbackListener::Connection {
  explicit Connection(int accepted, Time until) : fd(accepted), deadline(until) {}
  ~Connection() { close(fd); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int fd;
  Time deadline;
  RedirectRequest request;
  bool refused = false;  // and until the peer has read that, what it sends is thrown away
  bool over = false;
};

LoopbackListener::LoopbackListener(std::vector<int> listening, uint16_t port)
    : listening_(std::move(listening)), port_(port) {}
LoopbackListener::LoopbackListener(LoopbackListener&& other) noexcept
    : listening_(std::exchange(other.listening_, {})),
      port_(other.port_),
      connections_(std::move(other.connections_)) {}
LoopbackListener::~LoopbackListener() {
  for (const int fd : listening_) close(fd);
}

broker::Result<LoopbackListener> LoopbackListener::Open() {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const int ipv4 = ListenOnIpv4(0);
    if (ipv4 < 0) {  // the machine has no IPv4
      const int alone = ListenOnIpv6(0);
      if (alone >= 0) return LoopbackListener({alone}, PortOf(alone));
      break;
    }
    const uint16_t port = PortOf(ipv4);
    const int ipv6 = ListenOnIpv6(port);
    if (ipv6 >= 0) return LoopbackListener({ipv4, ipv6}, port);
    if (errno != EADDRINUSE) return LoopbackListener({ipv4}, port);  // the machine has no IPv6
    close(ipv4);
  }
  return Fail(ErrorCode::kUnavailable, "cannot listen on this machine's loopback");
}

void LoopbackListener::AddTo(std::vector<pollfd>* polled) const {
  for (const int fd : listening_) polled->push_back({fd, POLLIN, 0});
  for (const auto& connection : connections_) polled->push_back({connection->fd, POLLIN, 0});
}

std::optional<LoopbackListener::Time> LoopbackListener::NextDeadline() const {
  std::optional<Time> next;
  for (const auto& connection : connections_) {
    if (!next || connection->deadline < *next) next = connection->deadline;
  }
  return next;
}

std::optional<Secret> LoopbackListener::Serve(Time now, const IsAnswer& is_answer) {
  Accept(now);
  for (const auto& connection : connections_) {
    if (auto answer = Read(*connection, is_answer)) return answer;
    if (now < connection->deadline || connection->over) continue;
    if (!connection->refused) Send(connection->fd, ReplyTo(RedirectRequest::State::kMore));
    connection->over = true;
  }
  std::erase_if(connections_, [](const auto& connection) { return connection->over; });
  return std::nullopt;
}

void LoopbackListener::Accept(Time now) {
  for (const int listening : listening_) {
    for (size_t i = 0; i < kMaxConnections; ++i) {
      const int fd = accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd < 0) break;
      if (connections_.size() == kMaxConnections) connections_.erase(connections_.begin());
      connections_.push_back(std::make_unique<Connection>(fd, now + kPatience));
    }
  }
}

// One read: whoever sends without end holds up nobody.
std::optional<Secret> LoopbackListener::Read(Connection& connection, const IsAnswer& is_answer) {
  std::array<char, 1024> thrown_away;
  const std::span<char> room =
      connection.refused ? std::span<char>(thrown_away) : connection.request.Room();
  const ssize_t got = recv(connection.fd, room.data(), room.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return std::nullopt;
  connection.over = got <= 0;
  if (connection.over || connection.refused) return std::nullopt;
  const auto state = connection.request.Filled(static_cast<size_t>(got));
  if (state == RedirectRequest::State::kMore) return std::nullopt;
  if (state == RedirectRequest::State::kComplete && is_answer(connection.request.target())) {
    Send(connection.fd, {"200 OK", kDone});
    return Secret::CopyOf(connection.request.target());
  }
  Send(connection.fd, ReplyTo(state));
  connection.refused = true;
  return std::nullopt;
}

}  // namespace sidecar::cli
