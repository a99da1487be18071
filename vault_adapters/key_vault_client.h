// vault_adapters/key_vault_client.h: one Azure Key Vault: tokens, challenge, throttling.
#pragma once
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "broker/ports/clock.h"
#include "broker/ports/http_transport.h"
#include "broker/ports/vault_auth.h"
#include "vault_adapters/bearer_challenge.h"
#include "vault_adapters/key_vault_error.h"
#include "vault_adapters/key_vault_request.h"

namespace vault {

struct KeyVaultOptions {
  std::string url;                   // "https://corp-agents.vault.azure.net", no trailing slash
  std::string resource;              // "https://vault.azure.net": what tokens are asked for
  std::vector<std::string> tenants;  // ours, as TrustedAuthority
  bool custom_cloud = false;
};

/// Thread-safe. Borrows everything it is given.
class KeyVaultClient {
 public:
  struct Ports {
    broker::HttpTransport& http;
    broker::VaultAuth& auth;
    const broker::Clock& clock;
  };
  // A vault answers within tens of milliseconds; a caller of purser waits meanwhile.
  static constexpr std::chrono::milliseconds kDeadline{10000};
  // After a failure nothing is sent for this long, doubled with each further one up to the longest:
  // callers are told at once, and recovery is noticed within a minute.
  static constexpr std::chrono::seconds kFirstPause{1};
  static constexpr std::chrono::seconds kLongestPause{60};

  KeyVaultClient(KeyVaultOptions options, Ports ports);

  /// One answer of status 200. Sends at most twice: once more with a new token after a 401 whose
  /// challenge CheckChallenge accepts. Nothing is sent before a Retry-After has passed.
  KeyVaultResult<broker::HttpResponse> Send(const KeyVaultRequest& request);

  [[nodiscard]] const std::string& host() const { return host_; }  // no port
  [[nodiscard]] const std::string& url() const { return options_.url; }
  /// The answer's own clock where it shows one: the moment that the vault's dates are held against.
  [[nodiscard]] broker::Clock::Wall NowAt(const broker::HttpResponse& response) const {
    return response.date.value_or(ports_.clock.WallNow());
  }

 private:
  std::optional<KeyVaultError> Paused();
  void Pause(std::chrono::seconds wait, KeyVaultProblem problem);
  KeyVaultResult<broker::HttpResponse> Attempt(broker::HttpRequest& http,
                                               broker::VaultAuth::Freshness freshness);
  KeyVaultResult<broker::HttpResponse> Judge(broker::HttpResponse response,
                                             KeyVaultOperation operation);
  KeyVaultError Unreachable(const broker::Error& error);
  TrustedAuthority Trusted();

  KeyVaultOptions options_;
  Ports ports_;
  std::string host_;
  std::mutex mutex_;
  int failures_ = 0;  // in a row
  broker::Clock::Steady not_before_{};
  KeyVaultProblem paused_by_ = KeyVaultProblem::kUnreachable;
};

}  // namespace vault
