// The operator's actions. Each has its entries in the ledger before a handler here runs.
#include <utility>

#include "broker/entra/client_certificate.h"
#include "sidecar/broker/admin_service.h"
#include "sidecar/broker/admin_why.h"
#include "sidecar/broker/credential_ends.h"
#include "sidecar/broker/credential_secrets.h"
#include "sidecar/broker/device_answer.h"
#include "sidecar/ipc/messages.h"

namespace sidecar::broker_role {

using broker::Reason, broker::Refusal, broker::Refuse;
using nlohmann::json;
using Outcome = AdminService::Outcome;

namespace {

constexpr size_t kMaxLoginHintBytes = 254;  // RFC 5321 §4.5.3.1.3: the longest address

std::optional<broker::Expiry> EndOf(const broker::Secret& bundle) {
  const auto certificate = broker::entra::ParseClientCertificate(bundle);
  if (!certificate) return std::nullopt;
  return broker::Expiry{certificate->not_after, broker::Expiry::By::kCertificate, {}};
}

}  // namespace

Outcome AdminService::SealKey(const Call& /*call*/) {
  return json{{"public_key", seal_box_.public_key()}};
}

Outcome AdminService::Reload(const Call& call) {
  const auto dry_run = call.body.find("dry_run");
  if (dry_run != call.body.end() && !dry_run->is_boolean()) return Refuse(Reason::kWrongType);
  const bool dry = dry_run != call.body.end() && dry_run->get<bool>();
  const auto report = ports_.ask_supervisor(ipc::MessageType::kReloadRequest, dry ? "dry-run" : "");
  if (!report) return std::unexpected(RefusalOf(report.error(), Reason::kRestarting));
  json body = json::parse(*report, nullptr, false);
  if (!body.is_object()) return Refuse(Reason::kInternal);
  return body;
}

// The credential that a login enrols, where one can.
std::expected<broker::policy::Credential, Refusal> AdminService::LoginOf(const Call& call) const {
  const auto config = ports_.broker.config();
  const auto credential = config->credentials.find(call.argument);
  if (credential == config->credentials.end()) return NoSuchCredential();
  if (credential->second.kind != "refresh-token") {
    return Refuse(Reason::kValueOutOfRange, EnrolmentAdvice(credential->second));
  }
  // Before a person goes through it: what is obtained could not be kept.
  if (const std::string why = ports_.store_trouble(); !why.empty()) {
    return Refuse(Reason::kSealed, "The store: " + why + ".");
  }
  return credential->second;
}

Outcome AdminService::StartLogin(const Call& call) {
  const auto credential = LoginOf(call);
  if (!credential) return std::unexpected(credential.error());
  const auto begun = logins_.Start(*ports_.broker.config(), *credential);
  if (!begun) return std::unexpected(begun.error());
  return DeviceAnswer(begun->id, begun->prompt);
}

Outcome AdminService::PollLogin(const Call& call) {
  const uint64_t seen = ports_.revoked.times();
  const auto state = logins_.Poll(call.argument);
  if (!state) return std::unexpected(state.error());
  if (!state->done) return json{{"done", false}, {"interval", state->interval.count()}};
  return EnrolledAnswer(state->credential, state->consented, seen);
}

Outcome AdminService::OpenLogin(const Call& call) {
  const json& port = call.body.at("port");
  const json hint = call.body.value("login_hint", json(""));
  if (!port.is_number_unsigned() || !hint.is_string()) return Refuse(Reason::kWrongType);
  const auto number = port.get<uint64_t>();
  if (number == 0 || number > UINT16_MAX) {
    return Refuse(Reason::kValueOutOfRange, "port is from 1 to 65535.");
  }
  if (hint.get_ref<const std::string&>().size() > kMaxLoginHintBytes) {
    return Refuse(Reason::kValueOutOfRange, "login_hint is the address of a person.");
  }
  const auto credential = LoginOf(call);
  if (!credential) return std::unexpected(credential.error());
  const auto opened = logins_.Open(*ports_.broker.config(), *credential,
                                   static_cast<uint16_t>(number), hint.get<std::string>());
  if (!opened) return std::unexpected(opened.error());
  return json{{"id", opened->id},
              {"url", opened->url},
              {"state", opened->state},
              {"expires_in", Logins::kBrowserLogin.count()},
              {"advice", broker::BrowserLogin::Advice(*credential)}};
}

Outcome AdminService::FinishLogin(const Call& call) {
  const json& id = call.body.at("id");
  if (!id.is_string()) return Refuse(Reason::kWrongType);
  const auto redirect = Unwrap(call);
  if (!redirect) return std::unexpected(redirect.error());
  const uint64_t seen = ports_.revoked.times();
  const auto consented = logins_.Finish(id.get<std::string>(), call.argument, *redirect);
  if (!consented) return std::unexpected(consented.error());
  return EnrolledAnswer(call.argument, *consented, seen);
}

Outcome AdminService::EnrolledAnswer(const std::string& credential,
                                     const std::vector<std::string>& consented, uint64_t seen) {
  if (const auto done = Enrolled(credential, /*usable=*/true, seen); !done) {
    return std::unexpected(RefusalOf(done.error(), Reason::kStoreUnavailable));
  }
  ports_.uses.Minted(credential, {});  // the code was redeemed for tokens
  json enrolled = {{"done", true}, {"consented", consented}};
  const auto config = ports_.broker.config();
  if (const auto found = config->credentials.find(credential); found != config->credentials.end()) {
    enrolled["over_consented"] = OverConsented(found->second, consented);
  }
  return enrolled;
}

// What was remembered of the credential's old secret no longer holds, nor does its revocation; but
// one that came since `seen` does, and what was enrolled meanwhile falls to it.
broker::Status AdminService::Enrolled(const std::string& credential, bool usable, uint64_t seen) {
  ports_.minter.Forget(credential);
  ports_.cache.Evict(credential);
  if (!usable) return {};
  broker::Status lifted = ports_.revoked.Lift(credential, seen);
  const auto config = ports_.broker.config();
  const auto found = config->credentials.find(credential);
  const bool late = !lifted && lifted.error().code == broker::ErrorCode::kConflict;
  if (late && found != config->credentials.end()) {
    std::string trouble;  // it stays revoked all the same
    Destroy(found->second, &trouble);
  }
  return lifted;
}

// What `expires` of the body says, for a secret that does not say it itself.
std::expected<std::optional<broker::Expiry>, Refusal> AdminService::StatedEnd(
    const Call& call, broker::SecretKind kind) const {
  if (!call.body.contains("expires")) return std::nullopt;
  const json& text = call.body["expires"];
  if (!text.is_string()) return Refuse(Reason::kWrongType);
  if (kind != broker::SecretKind::kClientSecret) {
    return Refuse(Reason::kValueOutOfRange, "A certificate says itself when it ends.");
  }
  const auto day = ParseDay(text.get_ref<const std::string&>());
  if (!day) return Refuse(Reason::kValueOutOfRange, "expires is a day, as in 2027-05-31 (UTC).");
  if (*day <= ports_.minter_ports.clock.WallNow()) {
    return Refuse(Reason::kValueOutOfRange, "That day has come already.");
  }
  return broker::Expiry{*day, broker::Expiry::By::kOperator, {}};
}

// Opens the sealed box in the body.
std::expected<broker::Secret, Refusal> AdminService::Unwrap(const Call& call) const {
  const json& sealed = call.body.at("sealed");
  if (!sealed.is_string()) return Refuse(Reason::kWrongType);
  auto secret = seal_box_.Open(sealed.get_ref<const std::string&>());
  if (!secret) return std::unexpected(RefusalOf(secret.error(), Reason::kInternal));
  return std::move(*secret);
}

Outcome AdminService::SetSecret(const Call& call) {
  const uint64_t seen = ports_.revoked.times();
  const auto config = ports_.broker.config();
  const auto credential = config->credentials.find(call.argument);
  if (credential == config->credentials.end()) return NoSuchCredential();
  const auto kind = TypedSecretOf(credential->second);
  if (!kind) return Refuse(Reason::kValueOutOfRange, EnrolmentAdvice(credential->second));
  const auto secret = Unwrap(call);
  if (!secret) return std::unexpected(secret.error());
  if (auto unfit = CheckTyped(*kind, *secret)) return std::unexpected(std::move(*unfit));
  if (credential->second.kind == "webhook-url") {
    if (auto unfit = CheckWebhook(*config, call.argument, *secret))
      return std::unexpected(std::move(*unfit));
  }
  auto ends = StatedEnd(call, *kind);
  if (!ends) return std::unexpected(std::move(ends.error()));
  if (*kind == broker::SecretKind::kCertificate) *ends = EndOf(*secret);
  const auto version = ports_.store.Put({call.argument, *kind}, *secret, std::nullopt);
  if (!version) return std::unexpected(RefusalOf(version.error(), Reason::kStoreUnavailable));
  // Only a login makes a refresh token's credential whole.
  const bool usable = credential->second.kind != "refresh-token";
  if (const auto done = Enrolled(call.argument, usable, seen); !done) {
    return std::unexpected(RefusalOf(done.error(), Reason::kStoreUnavailable));
  }
  if (*ends) (*ends)->version = std::to_string(*version);
  ports_.uses.Enrolled(call.argument, *ends);
  json body = {{"version", *version}};
  if (*ends) body["end"] = AsJson({"secret", (*ends)->at, {}}, ports_.minter_ports.clock.WallNow());
  // The secret is stored, whatever becomes of this; the warning before its end would be missed.
  if (const auto kept = ports_.keep_uses(); !kept) body["end_not_kept"] = kept.error().detail;
  return body;
}

Outcome AdminService::Unseal(const Call& call) {
  const auto secret = Unwrap(call);
  if (!secret) return std::unexpected(secret.error());
  const auto done = ports_.unseal(*secret);
  if (!done) return std::unexpected(RefusalOf(done.error(), Reason::kStoreUnavailable));
  return json{{"unsealed", true}};
}

// A key vault wraps a new key that purser makes; else what a person typed becomes the key.
Outcome AdminService::RotateSeal(const Call& call) {
  const broker::policy::Seal seal = ports_.broker.config()->seal;
  const bool typed = seal.kind != "azure-key-vault";
  if (typed != call.body.contains("sealed")) {
    return typed ? Refuse(Reason::kMissingField, "Send sealed.")
                 : Refuse(Reason::kUnknownField, "The key is purser's own: send nothing.");
  }
  auto secret = typed ? Unwrap(call) : broker::Secret();
  if (!secret) return std::unexpected(secret.error());
  const auto rows = ports_.rotate_seal(seal, *secret);
  if (!rows) return std::unexpected(RefusalOf(rows.error(), Reason::kStoreUnavailable));
  return json{{"rewritten", *rows}};
}

Outcome AdminService::AcceptRestored(const Call& call) {
  if (const auto why = WhyOf(call.body); !why) return std::unexpected(why.error());
  // The copy that was put back may be from before a teardown.
  const Teardown::Gate gate(teardown_, SupervisorOfTeardown());
  if (gate.refusal()) return std::unexpected(*gate.refusal());
  const auto accepted = ports_.accept_restored();
  if (!accepted) return std::unexpected(RefusalOf(accepted.error(), Reason::kStoreUnavailable));
  return json{{"accepted", true}, {"unseal", ports_.broker.config()->seal.kind == "passphrase"}};
}

Outcome AdminService::ResumeLedger(const Call& /*call*/) {
  const auto state = ports_.resume_ledger();
  if (!state) return std::unexpected(RefusalOf(state.error(), Reason::kLedgerUnavailable));
  if (state->latched) {
    return Refuse(Reason::kLedgerUnavailable, "Still not writable: " + state->latch_reason + ".");
  }
  return json{{"seq", state->seq}, {"leaf", state->leaf_hex}};
}

}  // namespace sidecar::broker_role
