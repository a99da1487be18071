// broker/enrolment.h: what every login of a user ends with, however the person was asked.
#pragma once
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "broker/entra/token_request.h"
#include "broker/minter.h"
#include "broker/ports/sealed_store.h"
#include "broker/token_request.h"

namespace broker {

/// One login under way. Not thread-safe: one per login. Borrows what the ports refer to.
class Enrolment {
 public:
  /// The credential's vault gets the refresh token, or where it names none `store`, which must be
  /// the one that `ports.vault` reads then.
  Enrolment(Minter::Ports ports, SealedStore& store, policy::Config config,
            policy::Credential credential);

  /// Resolves the tenant and reads a confidential client's secret, after its entry in the ledger.
  std::expected<void, Refusal> Begin();
  /// Judges a 200 of the token endpoint: tenant, application and user as configured (another person
  /// is kMintedMismatch, with a hint for the operator), then stores the refresh token. Returns what
  /// the registration is consented to, names of `scopes().resource`.
  std::expected<std::vector<std::string>, Refusal> Finish(const HttpResponse& response,
                                                          Clock::Steady asked_at);

  [[nodiscard]] const Minter::Ports& ports() const { return ports_; }
  [[nodiscard]] const policy::Credential& credential() const { return credential_; }
  /// One resource's: Graph's, else the first one's.
  [[nodiscard]] const RequestedScopes& scopes() const { return scopes_; }
  [[nodiscard]] const entra::Client& client() const { return client_; }
  [[nodiscard]] entra::Authority authority() const {
    return {config_.tenant.authority, config_.tenant.id};
  }
  [[nodiscard]] entra::Wanted wanted() const {
    return {entra::ScopeText(scopes_.resource, scopes_.names), {}, {}};
  }

 private:
  std::expected<void, Refusal> TakeClientSecret();
  std::optional<Refusal> Check(const AccessToken& token) const;
  std::expected<void, Refusal> Keep(const Secret& refresh_token);

  Minter::Ports ports_;
  SealedStore& store_;
  policy::Config config_;
  policy::Credential credential_;
  RequestedScopes scopes_;
  std::string tenant_guid_;
  entra::Client client_;
};

}  // namespace broker
