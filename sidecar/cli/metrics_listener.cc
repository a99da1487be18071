#include "sidecar/cli/metrics_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

namespace sidecar::cli {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result;

constexpr std::string_view kHeadEnd = "\r\n\r\n";

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

std::optional<uint16_t> ParsePort(std::string_view text) {
  uint16_t port = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size()) {
    return std::nullopt;
  }
  return port;
}

std::optional<Address> ParseLoopback(std::string_view text) {
  const size_t colon = text.rfind(':');
  const auto port = colon == text.npos ? std::nullopt : ParsePort(text.substr(colon + 1));
  if (!port) return std::nullopt;
  const std::string host(text.substr(0, colon));
  Address address;
  sockaddr_in ipv4{};
  if (inet_pton(AF_INET, host.c_str(), &ipv4.sin_addr) == 1) {
    if (ntohl(ipv4.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET) return std::nullopt;
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons(*port);
    std::memcpy(&address.storage, &ipv4, sizeof ipv4);
    address.size = sizeof ipv4;
    return address;
  }
  if (host != "[::1]") return std::nullopt;
  sockaddr_in6 ipv6{};
  ipv6.sin6_family = AF_INET6;
  ipv6.sin6_port = htons(*port);
  ipv6.sin6_addr = in6addr_loopback;
  std::memcpy(&address.storage, &ipv6, sizeof ipv6);
  address.size = sizeof ipv6;
  return address;
}

uint16_t PortOf(int fd) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return 0;
  return ntohs(bound.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6*>(&bound)->sin6_port
                   : reinterpret_cast<const sockaddr_in*>(&bound)->sin_port);
}

bool IsThisMachine(std::string_view host) {
  if (!host.starts_with('[') || host.find("]:") != host.npos)
    host = host.substr(0, host.rfind(':'));
  return host == "[::1]" || host == "localhost" || host.starts_with("127.");
}

bool HasName(std::string_view line, std::string_view name) {
  return line.size() > name.size() && line[name.size()] == ':' &&
         std::ranges::equal(line.substr(0, name.size()), name, [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b;
         });
}

// Of the one Host header; nothing where there is none, or several.
std::optional<std::string_view> HostOf(std::string_view lines) {
  std::optional<std::string_view> host;
  while (!lines.empty()) {
    const size_t end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end == lines.npos ? lines.size() : end + 2);
    if (!HasName(line, "host")) continue;
    if (host) return std::nullopt;
    const size_t start = line.find_first_not_of(" \t", std::string_view("host:").size());
    host = start == line.npos ? std::string_view() : line.substr(start);
  }
  return host;
}

const char* PhraseOf(int status) {
  switch (status) {
    case 200:
      return "200 OK";
    case 404:
      return "404 Not Found";
    case 405:
      return "405 Method Not Allowed";
    case 421:
      return "421 Misdirected Request";
    case 503:
      return "503 Service Unavailable";
    default:
      return "400 Bad Request";
  }
}

std::string Render(int status, std::string_view text) {
  return std::string("HTTP/1.1 ") + PhraseOf(status) +
         "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: " +
         std::to_string(text.size()) +
         "\r\nConnection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
         "\r\n" +
         std::string(text);
}

}  // namespace

int ScrapeStatus(std::string_view head) {
  const size_t end = head.find("\r\n");
  const std::string_view line = head.substr(0, end);
  const size_t first = line.find(' '), last = line.rfind(' ');
  if (end == head.npos || first == line.npos || first == last) return 400;
  const std::string_view version = line.substr(last + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return 400;
  const auto host = HostOf(head.substr(end + 2));
  if (!host) return 400;
  if (!IsThisMachine(*host)) return 421;
  if (line.substr(0, first) != "GET") return 405;
  const std::string_view target = line.substr(first + 1, last - first - 1);
  return target == "/metrics" ? 200 : 404;
}

struct MetricsListener::Connection {
  Connection(int accepted, Time until) : fd(accepted), deadline(until) {}
  ~Connection() { close(fd); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int fd;
  Time deadline;
  std::string head;
  std::string answer;  // what is left of it; empty while the head is read
  bool over = false;
};

MetricsListener::MetricsListener(int fd, uint16_t port) : fd_(fd), port_(port) {}
MetricsListener::MetricsListener(MetricsListener&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      port_(other.port_),
      connections_(std::move(other.connections_)) {}
MetricsListener::~MetricsListener() {
  if (fd_ >= 0) close(fd_);
}

Result<MetricsListener> MetricsListener::Open(std::string_view text) {
  const auto address = ParseLoopback(text);
  if (!address) {
    return Fail(ErrorCode::kInvalidRequest,
                "write a loopback address and a port, as 127.0.0.1:9464 or [::1]:9464");
  }
  const int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int on = 1;
  if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
      bind(fd, reinterpret_cast<const sockaddr*>(&address->storage), address->size) == 0 &&
      listen(fd, SOMAXCONN) == 0) {
    return MetricsListener(fd, PortOf(fd));
  }
  const std::string why = std::strerror(errno);
  if (fd >= 0) close(fd);
  return Fail(ErrorCode::kUnavailable, "cannot listen on " + std::string(text) + ": " + why);
}

void MetricsListener::Serve(const Fetch& fetch) {
  std::vector<pollfd> polled{{fd_, POLLIN, 0}};
  auto next = Time::max();
  for (const auto& connection : connections_) {
    polled.push_back(
        {connection->fd, static_cast<int16_t>(connection->answer.empty() ? POLLIN : POLLOUT), 0});
    next = std::min(next, connection->deadline);
  }
  int wait = -1;
  if (next != Time::max()) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(next - std::chrono::steady_clock::now());
    wait = static_cast<int>(std::max<int64_t>(0, left.count()));
  }
  if (poll(polled.data(), polled.size(), wait) < 0) return;
  const auto now = std::chrono::steady_clock::now();
  for (size_t i = 0; i < connections_.size(); ++i) {
    if (polled[i + 1].revents != 0) Read(*connections_[i], fetch, now);
    if (now >= connections_[i]->deadline) connections_[i]->over = true;
  }
  std::erase_if(connections_, [](const auto& connection) { return connection->over; });
  Accept(now);
}

void MetricsListener::Accept(Time now) {
  for (size_t i = 0; i < kMaxConnections; ++i) {
    const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    if (connections_.size() == kMaxConnections) connections_.erase(connections_.begin());
    connections_.push_back(std::make_unique<Connection>(fd, now + kPatience));
  }
}

// One read or one write: whoever is slow holds up nobody.
void MetricsListener::Read(Connection& connection, const Fetch& fetch, Time now) {
  const auto later = [] { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; };
  if (connection.answer.empty()) {
    std::array<char, 2048> bytes{};
    const ssize_t got = recv(connection.fd, bytes.data(), bytes.size(), 0);
    if (got < 0 && later()) return;
    if (got <= 0) {
      connection.over = true;
      return;
    }
    connection.head.append(bytes.data(), static_cast<size_t>(got));
    const size_t end = connection.head.find(kHeadEnd);
    if (end == std::string::npos && connection.head.size() < kMaxHeadBytes) return;
    connection.answer =
        Answer(std::string_view(connection.head).substr(0, end == std::string::npos ? 0 : end + 2),
               fetch, now);
  }
  const ssize_t sent =
      send(connection.fd, connection.answer.data(), connection.answer.size(), MSG_NOSIGNAL);
  if (sent < 0 && later()) return;
  connection.over = sent <= 0 || static_cast<size_t>(sent) == connection.answer.size();
  if (!connection.over) connection.answer.erase(0, static_cast<size_t>(sent));
}

std::string MetricsListener::Answer(std::string_view head, const Fetch& fetch, Time now) {
  const int status = ScrapeStatus(head);
  if (status != 200) return Render(status, "GET /metrics is served here, and nothing else.\n");
  if (text_.empty() || now - looked_ >= kFresh) {
    auto text = fetch();
    text_ = text ? std::move(*text) : std::string();
    looked_ = now;
  }
  if (text_.empty()) return Render(503, "purserd does not answer.\n");
  return Render(200, text_);
}

}  // namespace sidecar::cli
