#include "broker/policy/egress.h"

#include "broker/policy/config_parser.h"
#include "broker/policy/config_values.h"
#include "broker/policy/kinds.h"

namespace broker::policy {
namespace {

// The reasons that hold for one host, joined.
class Reasons {
 public:
  void AddIf(bool holds, const std::string& reason) {
    if (holds) text_ += (text_.empty() ? "" : "; ") + reason;
  }
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

std::string WhyRemote(const Config& config, const std::string& host) {
  Reasons why;
  why.AddIf(host == HostAndPort(config.tenant.authority),
            "Entra's tokens, keys and discovery document for tenant " + config.tenant.id);
  why.AddIf(host == HostAndPort(config.tenant.graph),
            "Microsoft Graph, to rotate and revoke purser's own credentials");
  for (const auto& [name, vault] : config.vaults) {
    const bool opens = config.seal.vault == name;
    why.AddIf(!vault.url.empty() && host == HostAndPort(vault.url),
              "key vault " + name + (opens ? ", whose key opens the store" : ""));
  }
  for (const auto& [name, notifier] : config.notifiers) {
    why.AddIf(notifier.kind == "teams-chat" && host == HostAndPort(config.tenant.graph),
              "messages in the chat of [notify." + name + "]");
    why.AddIf(!notifier.host.empty() && host == HostAndPort(notifier.host),
              "cards of approvals for [notify." + name + "]");
  }
  return why.Take();
}

std::string WhyLocal(const Config& config, const std::string& host) {
  Reasons why;
  for (const auto& [name, credential] : config.credentials) {
    why.AddIf(credential.kind == "managed-identity" && host == HostAndPort(credential.endpoint),
              "managed identity of credential " + name + " (" + credential.source + ")");
  }
  for (const auto& [name, vault] : config.vaults) {
    why.AddIf(vault.auth == "managed-identity" && host == HostAndPort(kImdsEndpoint),
              "managed identity for key vault " + name + " (imds)");
  }
  return why.Take();
}

}  // namespace

std::vector<Destination> Egress(const Config& config) {
  const bool proxied = !config.network.proxy.empty();
  std::vector<Destination> all;
  for (const std::string& host : Hosts(config)) {
    all.push_back({host, WhyRemote(config, host), proxied});
  }
  for (const std::string& host : LocalHosts(config)) {
    all.push_back({host, WhyLocal(config, host), false});
  }
  if (proxied) all.push_back({HostAndPort(config.network.proxy), "[network] proxy", false});
  return all;
}

}  // namespace broker::policy
