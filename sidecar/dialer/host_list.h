// sidecar/dialer/host_list.h: where connections may go (promise 9), and through which proxy.
#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "broker/base/result.h"

namespace sidecar::dialer {

/// A name or address literal, in the one spelling that comparisons use: lower case, addresses as
/// inet_ntop writes them, no brackets.
struct HostPort {
  std::string host;
  uint16_t port = 0;
  auto operator<=>(const HostPort&) const = default;
};

/// The one spelling, or nothing for what is neither a host name nor an address: longer than 253,
/// empty labels, other characters than letters, digits, '-', '_' and '.'.
std::optional<std::string> CanonicalHost(std::string_view host);

/// "host:port", "[v6]:port" for people and for the CONNECT request.
std::string ToText(const HostPort& host_port);

/// The content of kHosts: one "host:port" a line, with "direct " before it where no proxy leads;
/// then, or never, "proxy http://host:port".
class HostList {
 public:
  // Each host costs an entry a minute at the most; a tenant has a dozen.
  static constexpr size_t kMaxHosts = 1024;

  HostList() = default;  // allows nothing
  /// Errors: kInvalidRequest, with the line.
  static broker::Result<HostList> Parse(std::string_view text);

  [[nodiscard]] bool Allows(const HostPort& target) const { return hosts_.contains(target); }
  [[nodiscard]] const std::optional<HostPort>& proxy() const { return proxy_; }
  /// The proxy that leads to `target`, which Allows().
  [[nodiscard]] const std::optional<HostPort>& ProxyFor(const HostPort& target) const {
    return direct_.contains(target) ? no_proxy_ : proxy_;
  }

 private:
  std::set<HostPort> hosts_;
  std::set<HostPort> direct_;  // of hosts_
  std::optional<HostPort> proxy_;
  std::optional<HostPort> no_proxy_;  // never set
};

}  // namespace sidecar::dialer
