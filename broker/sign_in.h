// broker/sign_in.h: a person shows who they are, and nothing is kept that could act for them.
#pragma once
#include <chrono>
#include <expected>
#include <optional>
#include <string>

#include "broker/device_grant.h"
#include "broker/entra/id_token.h"
#include "broker/key_sets.h"
#include "broker/policy/config.h"
#include "broker/tenant_resolver.h"

namespace broker {

/// One sign-in by device code. Not thread-safe: one per person. Borrows what the ports refer to.
class SignIn {
 public:
  struct Ports {
    HttpTransport& http;
    const Clock& clock;
    KeySets& keys;
    TenantResolver& tenants;
  };
  /// `client_id`: the registration that people sign in to, a public client.
  SignIn(Ports ports, policy::Tenant tenant, std::string client_id);

  /// Refuses what Entra refuses.
  std::expected<DevicePrompt, Refusal> Start();
  /// Not yet: nothing. Done: who it is, by a token whose signature, issuer, tenant, audience and
  /// times were verified. Refuses kLoginRequired (declined, expired), kMintedMismatch (the token is
  /// not what was asked for), kPrincipalDisabled and the like. Over after a refusal or a person.
  std::expected<std::optional<entra::SignedIn>, Refusal> Poll();
  [[nodiscard]] std::chrono::seconds interval() const { return grant_.interval(); }

 private:
  std::expected<entra::SignedIn, Refusal> Verify(const HttpResponse& response);
  [[nodiscard]] entra::Authority authority() const { return {tenant_.authority, tenant_.id}; }

  Ports ports_;
  policy::Tenant tenant_;
  entra::Client client_;
  DeviceGrant grant_;
};

}  // namespace broker
