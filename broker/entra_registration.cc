#include "broker/entra_registration.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "broker/base/base64.h"
#include "broker/entra/client_assertion.h"
#include "broker/entra/client_certificate.h"
#include "broker/entra/proof_of_possession.h"
#include "broker/entra/token_request.h"
#include "broker/entra/upstream_error.h"
#include "broker/key_reference.h"

namespace broker {
namespace {

using graph::Fault, graph::GraphError;

std::unexpected<GraphError> Failed(Fault fault, const Error& error,
                                   std::optional<std::chrono::seconds> retry_after = {}) {
  return std::unexpected(GraphError{fault, {}, error.detail, retry_after});
}

// x5t#S256
std::string Thumbprint(const std::string& certificate) {
  const Signer::Digest digest = entra::DigestOf(certificate);
  return Base64UrlEncode({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

// What the vault does not sign now, it may sign later.
std::unexpected<GraphError> NotSigned(const VaultError& error) {
  return Failed(Fault::kUnavailable, error, error.retry_after);
}

// An agent identity's blueprint is what proves it.
bool IsBlueprint(const policy::Config& config, const policy::Credential& credential) {
  return std::ranges::any_of(config.credentials, [&](const auto& one) {
    return one.second.kind == "agent-identity" && one.second.proof == credential.name;
  });
}

}  // namespace

EntraRegistration::EntraRegistration(Ports ports, const policy::Config& config,
                                     const policy::Credential& credential, ledger::Entry who)
    : ports_(std::move(ports)),
      config_(config),
      credential_(credential),
      who_(std::move(who)),
      at_{config.tenant.graph, credential.client_id, IsBlueprint(config, credential)},
      certificate_(credential.kind == "certificate" || credential.kind == "key-vault-key") {}

const policy::Credential& EntraRegistration::Asker() const {
  const auto named = [&](const std::string& name) {
    const auto found = config_.credentials.find(name);
    return found == config_.credentials.end() ? nullptr : &found->second;
  };
  if (const auto* other = named(credential_.rotate_with)) return *other;
  const bool revoked = ports_.revocations != nullptr && ports_.revocations->Has(credential_.name);
  const auto* const ender = revoked ? named(config_.admin.upstream) : nullptr;
  return ender == nullptr ? credential_ : *ender;
}

bool EntraRegistration::AskWith(const Secret& secret) {
  if (&Asker() != &credential_) return false;
  own_ = secret.Clone();
  return true;
}

GraphResult<SharedToken> EntraRegistration::Token(const policy::Credential& with) const {
  if (own_.empty() || &with != &credential_) return ports_.graph.Token(config_, with, who_);
  auto redeemed = Redeem(own_);
  if (!redeemed) return std::unexpected(std::move(redeemed.error()));
  auto token = std::make_shared<AccessToken>();
  token->value = std::move(redeemed->access_token);
  return token;
}

GraphResult<Secret> EntraRegistration::Ask(HttpRequest request, const std::string& permission) {
  const policy::Credential& with = Asker();
  if (!token_) {
    auto token = Token(with);
    if (!token) return std::unexpected(std::move(token.error()));
    token_ = std::move(*token);
  }
  return ports_.graph.Send(token_, std::move(request), permission + " to credential " + with.name);
}

GraphResult<Secret> EntraRegistration::Proof(const Owner& owner) const {
  const auto key = ParseKeyReference(owner.current);
  if (key && ports_.keys != nullptr) {
    const std::string to_sign =
        entra::ProofToSign(key->certificate, owner.object_id, ports_.clock.WallNow());
    const auto signature =
        ports_.keys->SignRs256(credential_.name, key->version, entra::DigestOf(to_sign));
    if (!signature) return NotSigned(signature.error());
    return entra::AttachSignature(to_sign, *signature);
  }
  const auto current = entra::ParseClientCertificate(owner.current);
  if (!current) return Failed(Fault::kRefused, current.error());
  auto proof = entra::SignProof(*current, owner.object_id, ports_.clock.WallNow());
  if (!proof) return Failed(Fault::kNoToken, proof.error());
  return std::move(*proof);
}

GraphResult<graph::Application> EntraRegistration::Read() {
  const auto answer = Ask(graph::ReadApplication(at_), graph::PermissionToRead(at_));
  if (!answer) return std::unexpected(answer.error());
  auto application = graph::ReadApplicationAnswer(*answer);
  if (!application) return Failed(Fault::kInvalid, application.error());
  return std::move(*application);
}

GraphResult<graph::AddedPassword> EntraRegistration::Add(const graph::NewCredential& about,
                                                         const Owner& owner, const Secret& made) {
  const std::string permission = graph::PermissionToChange(at_);
  if (!certificate_) {
    const auto answer = Ask(graph::AddPassword(at_, about), permission);
    if (!answer) return std::unexpected(answer.error());
    auto added = graph::ReadAddedPassword(*answer);
    if (!added) return Failed(Fault::kInvalid, added.error());
    return std::move(*added);
  }
  const auto certificate = CertificateOf(made);
  if (!certificate) return Failed(Fault::kRefused, certificate.error());
  const auto proof = Proof(owner);
  if (!proof) return std::unexpected(proof.error());
  const auto answer = Ask(graph::AddKey(at_, about, *certificate, *proof), permission);
  if (!answer) return std::unexpected(answer.error());
  auto key_id = graph::ReadAddedKey(*answer);
  if (!key_id) return Failed(Fault::kInvalid, key_id.error());
  return graph::AddedPassword{std::move(*key_id), {}};
}

GraphResult<void> EntraRegistration::Remove(const std::string& key_id, const Owner& owner) {
  const std::string permission = graph::PermissionToChange(at_);
  if (!certificate_) {
    const auto answer = Ask(graph::RemovePassword(at_, key_id), permission);
    if (!answer) return std::unexpected(answer.error());
    return {};
  }
  const auto proof = Proof(owner);
  if (!proof) return std::unexpected(proof.error());
  const auto answer = Ask(graph::RemoveKey(at_, key_id, *proof), permission);
  if (!answer) return std::unexpected(answer.error());
  return {};
}

GraphResult<void> EntraRegistration::Prove(const Secret& secret) {
  const auto token = Redeem(secret);  // wiped here: that there is one is all that was asked
  if (!token)
    return Failed(Fault::kNoToken, {ErrorCode::kDenied, token.error().detail},
                  token.error().retry_after);
  return {};
}

GraphResult<Secret> EntraRegistration::Assertion(const Secret& secret) const {
  const std::string audience = entra::TokenUrl({config_.tenant.authority, config_.tenant.id});
  const auto now = ports_.clock.WallNow();
  const auto key = ParseKeyReference(secret);
  if (key && ports_.keys != nullptr) {
    const std::string to_sign = entra::AssertionToSign(
        {Thumbprint(key->certificate), credential_.client_id, audience}, now, ports_.random);
    const auto signature =
        ports_.keys->SignPs256(credential_.name, key->version, entra::DigestOf(to_sign));
    if (!signature) return NotSigned(signature.error());
    return entra::AttachSignature(to_sign, *signature);
  }
  const auto certificate = entra::ParseClientCertificate(secret);
  if (!certificate) return Failed(Fault::kNoToken, certificate.error());
  auto assertion =
      entra::SignClientAssertion(*certificate, credential_.client_id, audience, now, ports_.random);
  if (!assertion) return Failed(Fault::kNoToken, assertion.error());
  return std::move(*assertion);
}

GraphResult<entra::TokenResponse> EntraRegistration::Redeem(const Secret& secret) const {
  const entra::Authority authority{config_.tenant.authority, config_.tenant.id};
  entra::Client client{credential_.client_id, {}, {}};
  if (certificate_) {
    auto assertion = Assertion(secret);
    if (!assertion) return std::unexpected(assertion.error());
    client.assertion = std::move(*assertion);
  } else {
    client.secret = secret.Clone();
  }
  const std::string scope = entra::ScopeText(config_.tenant.graph, {});
  const auto response = ports_.http.Send(
      entra::ClientCredentialsGrant(authority, client, {scope, {}, who_.request_id}));
  if (!response) return std::unexpected(graph::ReadTransportError(response.error()));
  if (response->status != 200) {
    const auto error = entra::ReadUpstreamError(*response);
    const bool refused =
        response->status >= 400 && response->status < 500 && response->status != 429;
    return std::unexpected(GraphError{
        refused ? Fault::kNoToken : Fault::kUnavailable, {}, error.detail, error.retry_after});
  }
  auto read = entra::ReadTokenResponse(response->body, config_.tenant.graph);
  if (!read) return Failed(Fault::kNoToken, read.error());
  return std::move(*read);
}

}  // namespace broker
