#include "sidecar/broker/credential_secrets.h"

#include <algorithm>
#include <string_view>

#include "broker/entra/client_certificate.h"
#include "broker/webhook_url.h"

namespace sidecar::broker_role {

using broker::Reason, broker::Refusal, broker::Secret, broker::SecretKind;

std::vector<SecretKind> SecretsOf(const broker::policy::Credential& credential) {
  std::vector<SecretKind> kinds;
  if (const auto typed = TypedSecretOf(credential)) kinds.push_back(*typed);
  if (credential.kind == "refresh-token") kinds.push_back(SecretKind::kRefreshToken);
  return kinds;
}

std::optional<SecretKind> TypedSecretOf(const broker::policy::Credential& credential) {
  if (!credential.vault.empty()) return std::nullopt;
  if (credential.kind == "certificate") return SecretKind::kCertificate;
  const bool webhook = credential.kind == "webhook-url";
  if (credential.kind == "client-secret" || webhook || credential.confidential) {
    return SecretKind::kClientSecret;
  }
  return std::nullopt;
}

std::string EnrolmentAdvice(const broker::policy::Credential& credential) {
  if (credential.kind == "refresh-token") return "A refresh token comes from purser login.";
  if (TypedSecretOf(credential)) {
    return "A " + credential.kind + " has no login; use purser secret set.";
  }
  if (credential.vault.empty()) {
    return "Nothing to enrol: a credential of kind " + credential.kind + " has no secret.";
  }
  return "Nothing to enrol: vault " + credential.vault + " has its secret; put it there.";
}

std::unexpected<Refusal> NoSuchCredential() {
  return broker::Refuse(Reason::kNotFound,
                        "No credential has this name; purser credentials lists them.");
}

std::optional<Refusal> CheckWebhook(const broker::policy::Config& config,
                                    const std::string& credential, const Secret& secret) {
  bool used = false;
  for (const auto& [name, notifier] : config.notifiers) {
    if (notifier.credential != credential) continue;
    used = true;
    const std::string_view url = secret.Expose(broker::Exit::kSealToDisk);
    if (broker::IsWebhookUrl(url, notifier.host)) continue;
    return Refusal{Reason::kValueOutOfRange,
                   "Send the whole address of a webhook at " + notifier.host +
                       ", the host of [notify." + name + "].",
                   {},
                   {}};
  }
  if (used) return std::nullopt;
  return Refusal{Reason::kValueOutOfRange,
                 "No [notify.NAME] has this credential: add one first, whose host says where the "
                 "address may lead.",
                 {},
                 {}};
}

std::optional<Refusal> CheckTyped(SecretKind kind, const Secret& secret) {
  if (kind == SecretKind::kCertificate) {
    const auto parsed = broker::entra::ParseClientCertificate(secret);
    if (parsed) return std::nullopt;
    return Refusal{Reason::kValueOutOfRange,
                   "Send one PEM text with the private key and its certificate. Found: " +
                       parsed.error().detail + ".",
                   parsed.error().detail,
                   {}};
  }
  const std::string_view text = secret.Expose(broker::Exit::kSealToDisk);
  const bool printable = std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
  if (printable && !text.empty()) return std::nullopt;
  return Refusal{Reason::kValueOutOfRange,
                 "A client secret is one line of printable characters, without spaces.",
                 {},
                 {}};
}

}  // namespace sidecar::broker_role
