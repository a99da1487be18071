#include "sidecar/dialer/stream.h"

#include <array>
#include <expected>
#include <optional>
#include <string>
#include <utility>

#include "sidecar/dialer/connect.h"
#include "sidecar/dialer/socks5.h"
#include "sidecar/dialer/stream_io.h"

namespace sidecar::dialer {
namespace {

template <size_t N>
bool SendBytes(int fd, const std::array<char, N>& bytes, Deadline deadline) {
  return SendAll(fd, {bytes.data(), bytes.size()}, deadline);
}

/// False: not a greeting we can answer; the stream is to be closed.
bool Greet(int fd, Deadline deadline) {
  std::string bytes;
  std::array<char, kMaxGreetingBytes> block{};
  while (true) {
    const size_t got = ReceiveSome(fd, block, deadline);
    if (got == 0) return false;
    bytes.append(block.data(), got);
    const std::expected<bool, SocksReply> complete = ParseGreeting(bytes);
    if (!complete) {
      SendBytes(fd, kNoAcceptableMethod, deadline);
      return false;
    }
    if (*complete) return SendBytes(fd, kNoAuthentication, deadline);
  }
}

std::expected<HostPort, SocksReply> ReceiveTarget(int fd, Deadline deadline) {
  std::string bytes;
  std::array<char, kMaxRequestBytes> block{};
  while (true) {
    const size_t got = ReceiveSome(fd, block, deadline);
    if (got == 0) return std::unexpected(SocksReply::kGeneralFailure);
    bytes.append(block.data(), got);
    std::expected<std::optional<HostPort>, SocksReply> target = ParseRequest(bytes);
    if (!target) return std::unexpected(target.error());
    if (*target) return std::move(**target);
  }
}

std::expected<ipc::Fd, SocksReply> Dial(const HostPort& target, const StreamContext& context) {
  const std::shared_ptr<const HostList> hosts = context.hosts.Get();
  if (!hosts->Allows(target)) {
    context.log.Warn("connection_not_allowed",
                     {{"host", target.host},
                      {"port", target.port},
                      {"remedy", "nothing, unless a [vault] or [tenant] of yours is there"}});
    return std::unexpected(SocksReply::kNotAllowed);
  }
  const Deadline now = std::chrono::steady_clock::now();
  if (broker::Status counted = context.count.Add(target, now); !counted) {
    context.log.Error("connection_not_counted",
                      {{"host", target.host}, {"why", counted.error().detail}});
    return std::unexpected(SocksReply::kGeneralFailure);
  }
  std::expected<ipc::Fd, SocksReply> connected =
      Connect(target, hosts->ProxyFor(target), now + context.limits.connect);
  if (!connected) {
    context.log.Warn("connection_failed",
                     {{"host", target.host},
                      {"port", target.port},
                      {"socks_reply", static_cast<int>(connected.error())},
                      {"remedy", "purser doctor: look at DNS, routes, proxy"}});
  }
  return connected;
}

}  // namespace

void CurrentHosts::Set(HostList hosts) {
  auto fresh = std::make_shared<const HostList>(std::move(hosts));
  const std::scoped_lock lock(mutex_);
  hosts_ = std::move(fresh);
}

std::shared_ptr<const HostList> CurrentHosts::Get() const {
  const std::scoped_lock lock(mutex_);
  return hosts_;
}

void Serve(ipc::Fd stream, const StreamContext& context) {
  const Deadline handshake = std::chrono::steady_clock::now() + context.limits.handshake;
  if (!Greet(stream.get(), handshake)) return;
  const std::expected<HostPort, SocksReply> target = ReceiveTarget(stream.get(), handshake);
  std::expected<ipc::Fd, SocksReply> upstream =
      target ? Dial(*target, context) : std::unexpected(target.error());
  const SocksReply reply = upstream ? SocksReply::kSucceeded : upstream.error();
  const Deadline answer = std::chrono::steady_clock::now() + context.limits.handshake;
  if (!SendBytes(stream.get(), ReplyBytes(reply), answer) || !upstream) return;
  Relay(stream.get(), upstream->get(), context.limits.relay);
}

}  // namespace sidecar::dialer
