#include "sidecar/dialer/connect.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string>

#include "sidecar/dialer/http_connect.h"

namespace sidecar::dialer {
namespace {

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

// One dead address must not use up the time of the others.
constexpr std::chrono::seconds kPerAddress{4};

SocksReply ReplyFor(int error) {
  if (error == ECONNREFUSED) return SocksReply::kConnectionRefused;
  if (error == ENETUNREACH) return SocksReply::kNetworkUnreachable;
  return SocksReply::kHostUnreachable;
}

AddressList Resolve(const HostPort& target) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  if (getaddrinfo(target.host.c_str(), std::to_string(target.port).c_str(), &hints, &found) != 0) {
    found = nullptr;
  }
  return {found, freeaddrinfo};
}

std::expected<ipc::Fd, SocksReply> ConnectAddress(const addrinfo& address, Deadline deadline) {
  ipc::Fd fd(socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return std::unexpected(SocksReply::kGeneralFailure);
  if (connect(fd.get(), address.ai_addr, address.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return std::unexpected(ReplyFor(errno));
    if (!WaitFor(fd.get(), POLLOUT, deadline)) return std::unexpected(SocksReply::kHostUnreachable);
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return std::unexpected(ReplyFor(error));
  }
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return fd;
}

std::expected<ipc::Fd, SocksReply> ConnectDirectly(const HostPort& target, Deadline deadline) {
  const AddressList addresses = Resolve(target);
  SocksReply fault = SocksReply::kHostUnreachable;
  for (const addrinfo* at = addresses.get(); at != nullptr; at = at->ai_next) {
    const Deadline now = std::chrono::steady_clock::now();
    if (now >= deadline) break;
    std::expected<ipc::Fd, SocksReply> connected =
        ConnectAddress(*at, std::min(deadline, now + kPerAddress));
    if (connected) return connected;
    fault = connected.error();
  }
  return std::unexpected(fault);
}

}  // namespace

std::expected<ipc::Fd, SocksReply> Connect(const HostPort& target,
                                           const std::optional<HostPort>& proxy,
                                           Deadline deadline) {
  std::expected<ipc::Fd, SocksReply> connected = ConnectDirectly(proxy ? *proxy : target, deadline);
  if (!proxy) return connected;
  if (!connected || !SendAll(connected->get(), ConnectRequest(target), deadline)) {
    return std::unexpected(SocksReply::kTtlExpired);
  }
  std::string answer;
  std::array<char, 512> block{};
  while (true) {
    const size_t got = ReceiveSome(connected->get(), block, deadline);
    if (got == 0) return std::unexpected(SocksReply::kTtlExpired);
    answer.append(block.data(), got);
    const std::expected<bool, SocksReply> stands = ReadConnectAnswer(answer);
    if (!stands) return std::unexpected(stands.error());
    if (*stands) return connected;
  }
}

}  // namespace sidecar::dialer
