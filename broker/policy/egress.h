// broker/policy/egress.h: every host and port that a configuration has purser connect to, and why.
#pragma once
#include <string>
#include <vector>

#include "broker/policy/config.h"

namespace broker::policy {

struct Destination {
  std::string host;    // "login.microsoftonline.com:443"
  std::string reason;  // one line, for a person who writes firewall rules
  bool proxied;        // reached through [network] proxy, never directly
};

/// Hosts(config), then LocalHosts(config), then the proxy: what the dialer is given, and no more.
/// Pure.
std::vector<Destination> Egress(const Config& config);

}  // namespace broker::policy
