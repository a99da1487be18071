// sidecar/broker/credential_secrets.h: which secrets a credential needs, and whether one will do.
#pragma once
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "broker/base/secret.h"
#include "broker/policy/config.h"
#include "broker/ports/sealed_store.h"
#include "broker/reason.h"

namespace sidecar::broker_role {

/// All that enrols the credential in purser's own store: its own secret, and for a refresh token
/// the login. None for what a vault keeps, and for kinds without a secret.
std::vector<broker::SecretKind> SecretsOf(const broker::policy::Credential& credential);

/// What `purser secret set` stores for it, if anything.
std::optional<broker::SecretKind> TypedSecretOf(const broker::policy::Credential& credential);

/// Says how the credential is enrolled, to somebody who tried another way.
std::string EnrolmentAdvice(const broker::policy::Credential& credential);

/// Refuses a name that the configuration does not have, and says where names are listed.
[[nodiscard]] std::unexpected<broker::Refusal> NoSuchCredential();

/// Refuses what was typed for the wrong credential or pasted in part, before it replaces a good
/// secret: a certificate must parse, with a private key that belongs to it; a client secret is one
/// line of printable ASCII.
std::optional<broker::Refusal> CheckTyped(broker::SecretKind kind, const broker::Secret& secret);

/// Refuses an address of a webhook that leads elsewhere than every [notify.NAME] of the credential
/// says. Never quotes it.
std::optional<broker::Refusal> CheckWebhook(const broker::policy::Config& config,
                                            const std::string& credential,
                                            const broker::Secret& secret);

}  // namespace sidecar::broker_role
