#include "test/devtenant/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <thread>

namespace devtenant {
namespace {

constexpr int kBacklog = 1024;   // load tests open hundreds of connections at once
constexpr int kIdleMs = 60'000;  // keep-alive: longer than any test's pause
thread_local Connection* current = nullptr;

using Context = std::unique_ptr<SSL_CTX, decltype([](SSL_CTX* context) { SSL_CTX_free(context); })>;
using Session = std::unique_ptr<SSL, decltype([](SSL* ssl) { SSL_free(ssl); })>;

bool Readable(int fd) {
  pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&waiting, 1, kIdleMs) == 1;
}

class SocketConnection : public Connection {
 public:
  SocketConnection(int fd, Session session) : fd_(fd), session_(std::move(session)) {}

  bool is_readable() const override {
    return (session_ && SSL_pending(session_.get()) > 0) || Readable(fd_);
  }
  bool is_writable() const override { return writable_bytes_ > 0; }
  ssize_t read(char* out, size_t size) override {
    if (session_) return SSL_read(session_.get(), out, static_cast<int>(size));
    return recv(fd_, out, size, 0);
  }
  ssize_t write(const char* data, size_t size) override {
    // httplib writes the head at once, up to its empty line, and then the body.
    if (cut_body_ && !std::string_view(data, size).ends_with("\r\n\r\n")) {
      writable_bytes_ = std::min(writable_bytes_, size / 2);
    }
    const size_t allowed = std::min(size, writable_bytes_);
    if (allowed == 0) return -1;
    const ssize_t written = session_ ? SSL_write(session_.get(), data, static_cast<int>(allowed))
                                     : send(fd_, data, allowed, MSG_NOSIGNAL);
    if (written > 0 && writable_bytes_ != SIZE_MAX) writable_bytes_ -= static_cast<size_t>(written);
    return written;
  }
  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    ip = "127.0.0.1";
    port = 0;
  }
  void get_local_ip_and_port(std::string& ip, int& port) const override {
    get_remote_ip_and_port(ip, port);
  }
  socket_t socket() const override { return fd_; }

 private:
  int fd_;
  Session session_;
};

void ServeConnection(int fd, Session session, Routes& routes) {
  SocketConnection connection(fd, std::move(session));
  current = &connection;
  bool closed = false;
  while (!closed && connection.is_readable() &&
         routes.process_request(connection, /*close_connection=*/false, closed,
                                [](httplib::Request&) {})) {
    if (!connection.is_writable()) break;
  }
  current = nullptr;
}

Context MakeContext(const Identity& identity) {
  Context context(SSL_CTX_new(TLS_server_method()));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  if (SSL_CTX_use_certificate(context.get(), identity.certificate.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context.get(), identity.key.get()) != 1) {
    throw std::runtime_error("the server's certificate cannot be used");
  }
  return context;
}

struct Contexts {
  Context good, wrong_ca, wrong_name, expired;

  [[nodiscard]] SSL_CTX* For(const std::string& trouble) const {
    if (trouble == "wrong_ca") return wrong_ca.get();
    if (trouble == "wrong_name") return wrong_name.get();
    if (trouble == "expired") return expired.get();
    return good.get();
  }
};

void ServeTlsConnection(int fd, Routes& routes, const Contexts& contexts,
                        const std::string& trouble) {
  // Only once the client has spoken, so that it sees a handshake that fails, not a refused connect.
  if (trouble != "close" || !Readable(fd)) {
    Session session(SSL_new(contexts.For(trouble)));
    SSL_set_fd(session.get(), fd);
    if (SSL_accept(session.get()) == 1) ServeConnection(fd, std::move(session), routes);
  }
  close(fd);
}

void AcceptForever(int listening, const std::function<void(int)>& serve) {
  for (;;) {
    const int fd = accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails on a Unix socket: no matter
    std::thread([fd, &serve] { serve(fd); }).detach();
  }
}

int Listening(int fd, const sockaddr* address, socklen_t size, const std::string& what) {
  if (fd < 0 || bind(fd, address, size) != 0 || listen(fd, kBacklog) != 0) {
    throw std::runtime_error("cannot listen on " + what + ": " + std::strerror(errno));
  }
  return fd;
}

}  // namespace

Connection* Connection::Current() { return current; }

int BindLoopback(int& port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  Listening(fd, reinterpret_cast<sockaddr*>(&address), sizeof address,
            "127.0.0.1:" + std::to_string(port));
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  port = ntohs(address.sin_port);
  return fd;
}

int BindUnix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error("path too long: " + path);
  path.copy(address.sun_path, path.size());
  unlink(path.c_str());
  const int fd = Listening(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
                           reinterpret_cast<sockaddr*>(&address), sizeof address, path);
  chmod(path.c_str(), 0666);
  return fd;
}

void ServeTls(int listening, Routes& routes, const ServerIdentities& identities,
              const TlsTrouble& trouble) {
  std::thread([&routes, listening, trouble,
               contexts =
                   Contexts{MakeContext(identities.good), MakeContext(identities.wrong_ca),
                            MakeContext(identities.wrong_name), MakeContext(identities.expired)}] {
    AcceptForever(listening, [&](int fd) { ServeTlsConnection(fd, routes, contexts, trouble()); });
  }).detach();
}

void ServePlain(int listening, Routes& routes) {
  std::thread([&routes, listening] {
    AcceptForever(listening, [&](int fd) {
      ServeConnection(fd, nullptr, routes);
      close(fd);
    });
  }).detach();
}

}  // namespace devtenant
