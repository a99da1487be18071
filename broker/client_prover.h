// broker/client_prover.h: how an application proves to Entra that it is itself.
#pragma once
#include <string>

#include "broker/credential_access.h"
#include "broker/entra/token_request.h"
#include "broker/mint_step.h"
#include "broker/minter.h"
#include "broker/timed_http.h"

namespace broker {

/// One attempt's. Every proof is made anew: an assertion is used once, a projected token is
/// replaced by its platform, an agent's first token serves one exchange. Nothing of it is kept.
class ClientProver {
 public:
  ClientProver(const Minter::Ports& ports, const MintTask& task, CredentialAccess& access,
               TimedHttp& http)
      : ports_(ports), task_(task), access_(access), http_(http) {}

  /// Reads every stored secret that Prove() will need.
  MintStep<void> Read(const policy::Credential& credential);
  /// The client of a request to the token endpoint:
  ///   refresh-token    its own secret, or a public client
  ///   client-secret    the secret
  ///   certificate      an assertion signed here
  ///   key-vault-key    an assertion signed in its vault
  ///   federated        the platform's token, or a managed identity's
  ///   on-behalf-of     what proves the same application
  ///   agent-identity   the blueprint's first leg, which names this agent
  MintStep<entra::Client> Prove(const policy::Credential& credential);
  /// A managed identity's token for `resource`.
  MintStep<entra::TokenResponse> ManagedIdentity(const policy::Credential& credential,
                                                 const std::string& resource);
  /// The token of the exchange audience that an agent holding `client`'s proof is given.
  MintStep<Secret> AgentToken(const entra::Client& client);

 private:
  MintStep<Secret> Assertion(const policy::Credential& credential);
  MintStep<Secret> SignHere(const policy::Credential& credential);
  MintStep<Secret> SignInVault(const policy::Credential& credential);
  MintStep<Secret> Federated(const policy::Credential& credential);
  MintStep<Secret> FirstLeg(const policy::Credential& agent);
  MintStep<Secret> ReadFile(const std::string& place);
  MintStep<HttpResponse> AskEndpoint(const policy::Credential& credential,
                                     const std::string& resource);
  MintStep<const policy::Credential*> ProofOf(const policy::Credential& credential);
  [[nodiscard]] entra::Authority authority() const;
  [[nodiscard]] entra::Wanted Exchange() const;

  const Minter::Ports& ports_;
  const MintTask& task_;
  CredentialAccess& access_;
  TimedHttp& http_;
};

}  // namespace broker
