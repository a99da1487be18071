// broker/entra_registration.h: a registration's credentials at Microsoft Graph and the token
// endpoint.
#pragma once
#include <memory>
#include <string>

#include "broker/app_registration.h"
#include "broker/entra/token_response.h"
#include "broker/ledger/entry.h"
#include "broker/policy/config.h"
#include "broker/ports/key_versions.h"
#include "broker/ports/random.h"
#include "broker/revocations.h"

namespace broker {

/// Asks Graph with the token of the credential's `rotate_with`, else with its own: an application
/// may roll its own certificates without any permission. Of a revoked one, with that of the
/// credential that ends things at Entra, `[admin] upstream`, if there is one. One token serves for
/// the object's life, which is one step of a rotation. Not thread-safe; borrows all.
class EntraRegistration final : public AppRegistration {
 public:
  struct Ports {
    HttpTransport& http;
    GraphClient& graph;
    const Clock& clock;
    Random& random;
    const Revocations* revocations = nullptr;     // null: nothing is ever revoked
    std::shared_ptr<KeyVersions> keys = nullptr;  // of a key that never leaves its vault
  };
  /// `who`: copied into the entries of reading the secret that Graph is asked with.
  EntraRegistration(Ports ports, const policy::Config& config, const policy::Credential& credential,
                    ledger::Entry who);

  bool AskWith(const Secret& secret) override;
  GraphResult<graph::Application> Read() override;
  GraphResult<graph::AddedPassword> Add(const graph::NewCredential& about, const Owner& owner,
                                        const Secret& made) override;
  GraphResult<void> Remove(const std::string& key_id, const Owner& owner) override;
  GraphResult<void> Prove(const Secret& secret) override;

 private:
  [[nodiscard]] const policy::Credential& Asker() const;
  [[nodiscard]] GraphResult<entra::TokenResponse> Redeem(const Secret& secret) const;
  GraphResult<SharedToken> Token(const policy::Credential& with) const;
  GraphResult<Secret> Ask(HttpRequest request, const std::string& permission);
  GraphResult<Secret> Proof(const Owner& owner) const;
  [[nodiscard]] GraphResult<Secret> Assertion(const Secret& secret) const;

  Ports ports_;
  const policy::Config& config_;
  const policy::Credential& credential_;
  ledger::Entry who_;
  graph::ApplicationAddress at_;
  bool certificate_;
  SharedToken token_;
  Secret own_;  // of AskWith()
};

}  // namespace broker
