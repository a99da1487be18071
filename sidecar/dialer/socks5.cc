#include "sidecar/dialer/socks5.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <string>
#include <utility>

namespace sidecar::dialer {
namespace {

constexpr char kVersion = 5;
constexpr char kNoAuth = 0;
constexpr char kConnect = 1;
constexpr char kIpv4 = 1;
constexpr char kDomainName = 3;
constexpr char kIpv6 = 4;
constexpr size_t kHeadBytes = 4;  // version, command, reserved, address type
constexpr size_t kPortBytes = 2;

size_t Unsigned(char byte) { return static_cast<unsigned char>(byte); }

std::string AddressText(int family, std::string_view bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(family, bytes.data(), text.data(), text.size());
  return text.data();
}

/// Where the address begins and how long it is; a size of 0 while its length is not there yet.
struct AddressField {
  size_t at = kHeadBytes;
  size_t size = 0;
};

std::expected<AddressField, SocksReply> FindAddress(std::string_view bytes) {
  switch (bytes[3]) {
    case kIpv4:
      return AddressField{.size = sizeof(in_addr)};
    case kIpv6:
      return AddressField{.size = sizeof(in6_addr)};
    case kDomainName:
      break;
    // Any byte may come: not an enumeration.
    default:
      return std::unexpected(SocksReply::kAddressTypeNotSupported);
  }
  if (bytes.size() == kHeadBytes) return AddressField{};
  const size_t size = Unsigned(bytes[kHeadBytes]);
  if (size == 0) return std::unexpected(SocksReply::kGeneralFailure);
  return AddressField{.at = kHeadBytes + 1, .size = size};
}

}  // namespace

std::expected<bool, SocksReply> ParseGreeting(std::string_view bytes) {
  if (!bytes.empty() && bytes[0] != kVersion) return std::unexpected(SocksReply::kGeneralFailure);
  if (bytes.size() < 2) return false;
  const size_t methods = Unsigned(bytes[1]);
  if (methods == 0 || bytes.size() > 2 + methods) {
    return std::unexpected(SocksReply::kGeneralFailure);
  }
  if (bytes.size() < 2 + methods) return false;
  if (!bytes.substr(2).contains(kNoAuth)) return std::unexpected(SocksReply::kGeneralFailure);
  return true;
}

std::expected<std::optional<HostPort>, SocksReply> ParseRequest(std::string_view bytes) {
  if (!bytes.empty() && bytes[0] != kVersion) return std::unexpected(SocksReply::kGeneralFailure);
  if (bytes.size() < kHeadBytes) return std::nullopt;
  if (bytes[1] != kConnect) return std::unexpected(SocksReply::kCommandNotSupported);
  if (bytes[2] != 0) return std::unexpected(SocksReply::kGeneralFailure);
  const std::expected<AddressField, SocksReply> address = FindAddress(bytes);
  if (!address) return std::unexpected(address.error());
  const size_t end = address->at + address->size + kPortBytes;
  if (address->size == 0 || bytes.size() < end) return std::nullopt;
  if (bytes.size() > end) return std::unexpected(SocksReply::kGeneralFailure);

  const std::string_view raw = bytes.substr(address->at, address->size);
  std::optional<std::string> host;
  if (bytes[3] == kDomainName) {
    host = CanonicalHost(raw);
  } else {
    host = AddressText(bytes[3] == kIpv4 ? AF_INET : AF_INET6, raw);
  }
  const size_t port = Unsigned(bytes[end - 2]) << 8 | Unsigned(bytes[end - 1]);
  if (!host) return std::unexpected(SocksReply::kNotAllowed);
  return HostPort{std::move(*host), static_cast<uint16_t>(port)};
}

std::array<char, 10> ReplyBytes(SocksReply reply) {
  return {kVersion, static_cast<char>(reply), 0, kIpv4};
}

}  // namespace sidecar::dialer
