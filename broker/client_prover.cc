#include "broker/client_prover.h"

#include <utility>

#include "broker/entra/client_assertion.h"
#include "broker/entra/client_certificate.h"
#include "broker/entra/managed_identity.h"
#include "broker/policy/clouds.h"
#include "broker/policy/kinds.h"

namespace broker {
namespace {

constexpr const char* kIdentityHeader = "env:IDENTITY_HEADER";  // as App Service calls it

template <class T>
std::unexpected<MintFault> Pass(MintStep<T>& failed) {
  return std::unexpected(std::move(failed.error()));
}

std::unexpected<MintFault> Unserved(const policy::Credential& credential) {
  return Stop(Refusal{Reason::kInternal, {}, "nothing serves kind " + credential.kind, {}});
}

std::pair<std::string, std::string> SelectorOf(const policy::Credential& credential) {
  if (!credential.user_assigned) return {};
  if (!credential.object_id.empty()) return {"object_id", credential.object_id};
  if (credential.resource_id.empty()) return {"client_id", credential.client_id};
  const bool imds = credential.source == "imds";
  return {imds ? "msi_res_id" : "mi_res_id", credential.resource_id};
}

}  // namespace

entra::Authority ClientProver::authority() const {
  return {task_.config.tenant.authority, task_.config.tenant.id};
}

entra::Wanted ClientProver::Exchange() const {
  return {entra::ScopeText(policy::ExchangeAudience(task_.config.tenant), {}),
          {},
          task_.who.request_id};
}

MintStep<const policy::Credential*> ClientProver::ProofOf(const policy::Credential& credential) {
  const auto found = task_.config.credentials.find(credential.proof);
  if (found != task_.config.credentials.end()) return &found->second;
  return Stop(
      Refusal{Reason::kInternal, {}, "credential " + credential.name + " has no proof", {}});
}

MintStep<void> ClientProver::Read(const policy::Credential& credential) {
  if (auto told = access_.Announce(credential); !told) return told;
  if (const auto kind = SecretKindOf(credential)) {
    if (auto read = access_.Fetch(credential, *kind); !read) return Pass(read);
  }
  if (credential.kind == "refresh-token" && credential.confidential) {
    auto read = access_.Fetch(credential, SecretKind::kClientSecret);
    if (!read) return Pass(read);
  }
  if (credential.proof.empty()) return {};
  const auto proof = ProofOf(credential);
  if (!proof) return std::unexpected(proof.error());
  return Read(**proof);
}

MintStep<entra::Client> ClientProver::Prove(const policy::Credential& credential) {
  entra::Client client{credential.client_id, {}, {}};
  if (auto told = access_.Announce(credential); !told) return Pass(told);
  const bool renews = credential.kind == "refresh-token";
  if (renews && !credential.confidential) return client;
  if (renews || credential.kind == "client-secret") {
    auto secret = access_.Fetch(credential, SecretKind::kClientSecret);
    if (!secret) return Pass(secret);
    client.secret = (*secret)->Clone();
    return client;
  }
  if (credential.kind == "on-behalf-of") {
    const auto proof = ProofOf(credential);
    if (!proof) return std::unexpected(proof.error());
    return Prove(**proof);
  }
  auto assertion = Assertion(credential);
  if (!assertion) return Pass(assertion);
  client.assertion = std::move(*assertion);
  return client;
}

MintStep<Secret> ClientProver::Assertion(const policy::Credential& credential) {
  if (credential.kind == "certificate") return SignHere(credential);
  if (credential.kind == "key-vault-key") return SignInVault(credential);
  if (credential.kind == "federated") return Federated(credential);
  if (credential.kind == "agent-identity") return FirstLeg(credential);
  return Unserved(credential);
}

MintStep<Secret> ClientProver::SignHere(const policy::Credential& credential) {
  auto bundle = access_.Fetch(credential, SecretKind::kCertificate);
  if (!bundle) return Pass(bundle);
  const auto certificate = entra::ParseClientCertificate(**bundle);
  if (!certificate) {
    return Stop(Refusal{Reason::kCredentialRejected, {}, certificate.error().detail, {}});
  }
  access_.NoteEnd(credential, Expiry::By::kCertificate, access_.VersionOf(credential),
                  certificate->not_after);
  auto assertion =
      entra::SignClientAssertion(*certificate, credential.client_id, entra::TokenUrl(authority()),
                                 ports_.clock.WallNow(), ports_.random);
  if (!assertion) return Stop(Refusal{Reason::kInternal, {}, assertion.error().detail, {}});
  return std::move(*assertion);
}

MintStep<Secret> ClientProver::SignInVault(const policy::Credential& credential) {
  if (ports_.signer == nullptr) return Unserved(credential);
  const auto key = ports_.signer->Current(credential.name);
  if (!key) return Stop(access_.RefusedBy(credential, key.error()));
  if (auto told = access_.AnnounceKey(credential, *key); !told) return Pass(told);
  const std::string to_sign =
      entra::AssertionToSign({key->thumbprint, credential.client_id, entra::TokenUrl(authority())},
                             ports_.clock.WallNow(), ports_.random);
  const auto signature =
      ports_.signer->SignPs256(credential.name, key->version, entra::DigestOf(to_sign));
  if (!signature) return Stop(access_.RefusedBy(credential, signature.error()));
  return entra::AttachSignature(to_sign, *signature);
}

MintStep<Secret> ClientProver::Federated(const policy::Credential& credential) {
  if (!credential.token_file.empty()) return ReadFile(credential.token_file);
  const auto identity = ProofOf(credential);
  if (!identity) return std::unexpected(identity.error());
  auto token =
      ManagedIdentity(**identity, std::string(policy::ExchangeAudience(task_.config.tenant)));
  if (!token) return Pass(token);
  return std::move(token->access_token);
}

MintStep<Secret> ClientProver::FirstLeg(const policy::Credential& agent) {
  const auto blueprint = ProofOf(agent);
  if (!blueprint) return std::unexpected(blueprint.error());
  auto client = Prove(**blueprint);
  if (!client) return Pass(client);
  const auto request = entra::BlueprintGrant(authority(), *client, agent.client_id, Exchange());
  auto token = http_.SendForToken(request, policy::ExchangeAudience(task_.config.tenant));
  if (!token) return Pass(token);
  return std::move(token->access_token);
}

MintStep<Secret> ClientProver::AgentToken(const entra::Client& client) {
  const auto request = entra::ClientCredentialsGrant(authority(), client, Exchange());
  auto token = http_.SendForToken(request, policy::ExchangeAudience(task_.config.tenant));
  if (!token) return Pass(token);
  return std::move(token->access_token);
}

// A file's last newline is not part of what it holds.
MintStep<Secret> ClientProver::ReadFile(const std::string& place) {
  if (ports_.files == nullptr) {
    return Stop(Refusal{Reason::kInternal, {}, "nothing reads the platform's files", {}});
  }
  auto content = ports_.files->Read(place);
  if (!content) {
    return Stop(
        Refusal{Reason::kStoreUnavailable, {}, "token file: " + content.error().detail, {}});
  }
  std::string_view text = content->Expose(Exit::kSendUpstream);
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  content->Truncate(text.size());
  if (content->empty()) {
    return Stop(Refusal{Reason::kStoreUnavailable, {}, "token file: it is empty", {}});
  }
  return std::move(*content);
}

MintStep<entra::TokenResponse> ClientProver::ManagedIdentity(const policy::Credential& credential,
                                                             const std::string& resource) {
  if (auto told = access_.Announce(credential); !told) return Pass(told);
  if (&credential == &task_.credential && !task_.key.claims.empty()) {
    return Stop(Refusal{Reason::kInvalidClaims, "This identity answers no claims.", {}, {}});
  }
  auto response = AskEndpoint(credential, resource);
  if (!response) return Pass(response);
  if (response->status != 200) return Stop(entra::ReadManagedIdentityError(*response));
  auto token = entra::ReadManagedIdentityToken(response->body, ports_.clock.WallNow());
  if (!token) return Stop(entra::ReadTransportError(token.error()));
  return std::move(*token);
}

MintStep<HttpResponse> ClientProver::AskEndpoint(const policy::Credential& credential,
                                                 const std::string& resource) {
  const entra::ManagedIdentityAsk ask{credential.endpoint, resource, SelectorOf(credential)};
  const auto send = [&](const HttpRequest& request) -> MintStep<HttpResponse> {
    auto response = http_.Send(request);
    if (!response) return Stop(entra::ReadTransportError(response.error()));
    return std::move(*response);
  };
  if (credential.source == "imds") return send(entra::ImdsRequest(ask));
  if (credential.source == "app-service") {
    auto header = ReadFile(kIdentityHeader);
    if (!header) return Pass(header);
    return send(entra::AppServiceRequest(ask, *header));
  }
  if (credential.source != "azure-arc") return Unserved(credential);
  auto first = send(entra::ArcRequest(ask, nullptr));
  if (!first || first->status != 401) return first;
  const auto path = entra::ArcKeyPath(first->www_authenticate, credential.key_folder);
  if (!path) return Stop(entra::ReadTransportError(path.error()));
  auto key = ReadFile(*path);
  if (!key) return Pass(key);
  if (key->size() > entra::kMaxArcKeyBytes) {
    return Stop(Refusal{Reason::kStoreUnavailable, {}, "the Arc agent's key is too long", {}});
  }
  return send(entra::ArcRequest(ask, &*key));
}

}  // namespace broker
