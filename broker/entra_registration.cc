#include "broker/entra_registration.h"

#include <algorithm>
#include <utility>

#include "broker/entra/client_assertion.h"
#include "broker/entra/client_certificate.h"
#include "broker/entra/proof_of_possession.h"
#include "broker/entra/token_request.h"
#include "broker/entra/token_response.h"
#include "broker/entra/upstream_error.h"

namespace broker {
namespace {

using graph::Fault, graph::GraphError;

std::unexpected<GraphError> Failed(Fault fault, const Error& error) {
  return std::unexpected(GraphError{fault, {}, error.detail, {}});
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
    : ports_(ports),
      config_(config),
      credential_(credential),
      who_(std::move(who)),
      at_{config.tenant.graph, credential.client_id, IsBlueprint(config, credential)},
      certificate_(credential.kind == "certificate") {}

GraphResult<Secret> EntraRegistration::Ask(HttpRequest request, const std::string& permission) {
  const auto other = config_.credentials.find(credential_.rotate_with);
  const policy::Credential& with = other == config_.credentials.end() ? credential_ : other->second;
  if (!token_) {
    auto token = ports_.graph.Token(config_, with, who_);
    if (!token) return std::unexpected(std::move(token.error()));
    token_ = std::move(*token);
  }
  return ports_.graph.Send(token_, std::move(request), permission + " to credential " + with.name);
}

GraphResult<Secret> EntraRegistration::Proof(const Owner& owner) const {
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
  const auto certificate = entra::ParseClientCertificate(made);
  if (!certificate) return Failed(Fault::kRefused, certificate.error());
  const auto proof = Proof(owner);
  if (!proof) return std::unexpected(proof.error());
  const auto answer = Ask(graph::AddKey(at_, about, certificate->der, *proof), permission);
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
  const entra::Authority authority{config_.tenant.authority, config_.tenant.id};
  entra::Client client{credential_.client_id, {}, {}};
  if (certificate_) {
    const auto certificate = entra::ParseClientCertificate(secret);
    if (!certificate) return Failed(Fault::kNoToken, certificate.error());
    auto assertion =
        entra::SignClientAssertion(*certificate, credential_.client_id, entra::TokenUrl(authority),
                                   ports_.clock.WallNow(), ports_.random);
    if (!assertion) return Failed(Fault::kNoToken, assertion.error());
    client.assertion = std::move(*assertion);
  } else {
    client.secret = secret.Clone();
  }
  const std::string scope = entra::ScopeText(config_.tenant.graph, {});
  const auto response = ports_.http.Send(
      entra::ClientCredentialsGrant(authority, client, {scope, {}, who_.request_id}));
  if (!response) return Failed(Fault::kNoToken, response.error());
  if (response->status != 200) {
    const auto error = entra::ReadUpstreamError(*response);
    return std::unexpected(GraphError{Fault::kNoToken, {}, error.detail, error.retry_after});
  }
  // The token is wiped here: that there is one is all that was asked.
  const auto read = entra::ReadTokenResponse(response->body, config_.tenant.graph);
  if (!read) return Failed(Fault::kNoToken, read.error());
  return {};
}

}  // namespace broker
