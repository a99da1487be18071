// broker/ports/vault_auth.h: how purser shows a vault in the cloud who it is.
#pragma once
#include <cstdint>
#include <string>

#include "broker/base/secret.h"
#include "broker/ports/vault_error.h"

namespace broker {

/// Thread-safe. One per `[vault.NAME]`, by its `auth`.
class VaultAuth {
 public:
  enum class Freshness : uint8_t {
    kAny,  // one that is kept will do while it is valid
    kNew,  // the vault refused the last one: from the source, not from a cache
  };
  virtual ~VaultAuth() = default;
  /// An access token for `resource`, such as "https://vault.azure.net" (its v2 scope is that and
  /// "/.default"). Errors: kNotFound (no such identity here) · kDenied · kUnavailable · kCorrupt;
  /// the detail says what to do.
  virtual VaultResult<Secret> Token(const std::string& resource, Freshness freshness) = 0;
  /// The GUID of the tenant that the last token is of, which was compared with the configured
  /// tenant; empty where that is not known.
  virtual std::string Tenant() { return {}; }
};

}  // namespace broker
