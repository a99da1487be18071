#include "sidecar/dialer/host_list.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace sidecar::dialer {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result;

constexpr size_t kMaxHostBytes = 253;  // RFC 1035 §2.3.4, without the root's dot
constexpr std::string_view kProxyPrefix = "proxy http://";
constexpr std::string_view kDirectPrefix = "direct ";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || IsDigit(c) || c == '-' || c == '_' || c == '.';
}

template <int Family, class Address>
std::optional<std::string> CanonicalAddress(const std::string& text) {
  Address address{};
  std::array<char, INET6_ADDRSTRLEN> out{};
  if (inet_pton(Family, text.c_str(), &address) != 1) return std::nullopt;
  if (inet_ntop(Family, &address, out.data(), out.size()) == nullptr) return std::nullopt;
  return std::string(out.data());
}

std::optional<uint16_t> ParsePort(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

std::optional<HostPort> ParseHostPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.contains(':')) {
    return std::nullopt;
  }
  std::optional<std::string> canonical = CanonicalHost(host);
  const std::optional<uint16_t> port = ParsePort(text.substr(colon + 1));
  if (!canonical || !port) return std::nullopt;
  return HostPort{std::move(*canonical), *port};
}

}  // namespace

std::optional<std::string> CanonicalHost(std::string_view host) {
  std::string name(host);
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  if (name.contains('\0')) return std::nullopt;  // inet_pton would stop there
  if (name.contains(':')) return CanonicalAddress<AF_INET6, in6_addr>(name);
  if (auto address = CanonicalAddress<AF_INET, in_addr>(name)) return address;
  const bool bad_label = name.starts_with('.') || name.ends_with('.') || name.contains("..");
  if (name.empty() || name.size() > kMaxHostBytes || bad_label) return std::nullopt;
  if (!std::ranges::all_of(name, IsNameCharacter)) return std::nullopt;
  // getaddrinfo reads "127.1" and "2130706433" as addresses; a name's last label is no number.
  if (std::ranges::all_of(name.substr(name.rfind('.') + 1), IsDigit)) return std::nullopt;
  return name;
}

std::string ToText(const HostPort& host_port) {
  const bool v6 = host_port.host.contains(':');
  return (v6 ? "[" + host_port.host + "]" : host_port.host) + ":" + std::to_string(host_port.port);
}

Result<HostList> HostList::Parse(std::string_view text) {
  HostList list;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t newline = text.find('\n');
    std::string_view line = text.substr(0, newline);
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
    const bool is_proxy = line.starts_with(kProxyPrefix);
    const bool is_direct = line.starts_with(kDirectPrefix);
    if (is_proxy) line.remove_prefix(kProxyPrefix.size());
    if (is_direct) line.remove_prefix(kDirectPrefix.size());
    std::optional<HostPort> parsed = ParseHostPort(line);
    if (!parsed || list.proxy_ || list.hosts_.size() == kMaxHosts) {
      return Fail(ErrorCode::kInvalidRequest, "host list, line " + std::to_string(number));
    }
    if (is_proxy) {
      list.proxy_ = std::move(*parsed);
    } else {
      if (is_direct) list.direct_.insert(*parsed);
      list.hosts_.insert(std::move(*parsed));
    }
  }
  return list;
}

}  // namespace sidecar::dialer
