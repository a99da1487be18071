// The routes of AdminService, in the order of its table.
#include <sodium.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "broker/ports/sealed_store.h"
#include "sidecar/broker/admin_service.h"
#include "sidecar/ipc/messages.h"

namespace sidecar::broker_role {
namespace {

using broker::ErrorCode, broker::Reason, broker::Refusal, broker::Refuse, broker::SecretKind;
using nlohmann::json;
using Outcome = AdminService::Outcome;

constexpr size_t kLoginIdBytes = 16;  // unguessable: knowing it lets an operator poll

// On the operator's socket the detail is shown: it names causes, never secrets.
Refusal FromError(const broker::Error& error, Reason unavailable) {
  switch (error.code) {
    case ErrorCode::kInvalidRequest:
      return {Reason::kValueOutOfRange, error.detail, error.detail, {}};
    case ErrorCode::kDenied:
      return {Reason::kCredentialRejected, error.detail, error.detail, {}};
    case ErrorCode::kNotFound:
      return {Reason::kNotFound, error.detail, error.detail, {}};
    case ErrorCode::kConflict:
      return {Reason::kConflict, error.detail, error.detail, {}};
    case ErrorCode::kUnavailable:
    case ErrorCode::kCorrupt:
      break;
  }
  return {unavailable, error.detail, error.detail, {}};
}

SecretKind KindOf(const broker::policy::Credential& credential) {
  if (credential.kind == "certificate") return SecretKind::kCertificate;
  if (credential.kind == "client-secret" || credential.confidential)
    return SecretKind::kClientSecret;
  return SecretKind::kRefreshToken;
}

// What enrols a credential: its own secret, and for a refresh token the login besides.
std::vector<SecretKind> KindsOf(const broker::policy::Credential& credential) {
  if (credential.kind != "refresh-token") return {KindOf(credential)};
  if (credential.confidential) return {SecretKind::kClientSecret, SecretKind::kRefreshToken};
  return {SecretKind::kRefreshToken};
}

// What was typed for the wrong credential, or pasted in part, is refused before it replaces a good
// secret. Whether a key fits its certificate is for the first assertion to say.
std::optional<Refusal> CheckSecret(SecretKind kind, const broker::Secret& secret) {
  const std::string_view text = secret.Expose(broker::Exit::kSealToDisk);
  if (kind == SecretKind::kCertificate) {
    const bool whole = text.find("PRIVATE KEY-----") != std::string_view::npos &&
                       text.find("-----BEGIN CERTIFICATE-----") != std::string_view::npos;
    if (whole) return std::nullopt;
    return Refusal{Reason::kValueOutOfRange,
                   "Send one PEM text with the private key and the certificate.", {}, {}};
  }
  const bool printable = std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
  if (printable && !text.empty()) return std::nullopt;
  return Refusal{Reason::kValueOutOfRange,
                 "A client secret is one line of printable characters, without spaces.", {}, {}};
}

json LimitAsJson(const broker::policy::Limit& limit) {
  return {{"count", limit.count}, {"per_seconds", limit.per.count()}};
}

std::string RandomHex(broker::Random& random) {
  std::array<std::byte, kLoginIdBytes> bytes{};
  random.Fill(bytes);
  std::string hex(bytes.size() * 2 + 1, '\0');
  sodium_bin2hex(hex.data(), hex.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                 bytes.size());
  hex.pop_back();
  return hex;
}

}  // namespace

Outcome AdminService::Status(const Call& /*call*/) {
  const auto config = ports_.broker.config();
  const Readiness now = ports_.readiness();
  json status = {{"instance", config->instance.name},
                 {"tenant", config->tenant.id},
                 {"policy_sha256", config->sha256},
                 {"ready", now.missing.empty()},
                 {"missing", now.missing},
                 {"degraded", now.degraded}};
  if (const auto ledger = ports_.ledger.Query()) {
    status["ledger"] = {{"latched", ledger->latched},
                        {"reason", ledger->latch_reason},
                        {"seq", ledger->seq},
                        {"leaf", ledger->leaf_hex}};
  } else {
    status["ledger"] = {{"latched", true}, {"reason", ledger.error().detail}};
  }
  const std::string trouble = ports_.seal.trouble();
  status["store"] = {{"usable", trouble.empty()}, {"reason", trouble}};
  const auto report = ports_.supervisor.Ask(ipc::MessageType::kStatusQuery, {});
  if (report) status["processes"] = json::parse(*report, nullptr, false);
  if (!report) status["processes"] = {{"error", report.error().detail}};
  return status;
}

Outcome AdminService::Ready(const Call& /*call*/) {
  const Readiness now = ports_.readiness();
  return json{{"ready", now.missing.empty()}, {"missing", now.missing}, {"degraded", now.degraded}};
}

Outcome AdminService::Agents(const Call& /*call*/) {
  json agents = json::array();
  for (const auto& [name, agent] : ports_.broker.config()->agents) {
    json rules = json::array();
    for (const auto& rule : agent.rules) {
      rules.push_back({{"name", rule.name},
                       {"scopes", rule.scopes},
                       {"credential", rule.credential},
                       {"deliver", rule.deliver},
                       {"decision", rule.decision}});
    }
    json shown = {{"name", name},
                  {"user", agent.selectors.user},
                  {"group", agent.selectors.group},
                  {"limit", LimitAsJson(agent.limit)},
                  {"rules", std::move(rules)}};
    if (const auto left = ports_.broker.RemainingBudget(name)) shown["remaining"] = *left;
    agents.push_back(std::move(shown));
  }
  return json{{"agents", std::move(agents)}};
}

Outcome AdminService::Credentials(const Call& /*call*/) {
  auto stored = ports_.store.List();
  if (!stored) return std::unexpected(FromError(stored.error(), Reason::kStoreUnavailable));
  json credentials = json::array();
  for (const auto& [name, credential] : ports_.broker.config()->credentials) {
    json secrets = json::array();
    for (const SecretKind kind : KindsOf(credential)) {
      uint64_t version = 0;
      for (const auto& info : *stored) {
        if (info.id == broker::SecretId{name, kind}) version = info.version;
      }
      const bool refresh = kind == SecretKind::kRefreshToken;
      secrets.push_back(
          {{"enrol_by", refresh ? "purser login " + name : "purser secret set " + name},
           {"enrolled", version != 0},
           {"version", version}});
    }
    credentials.push_back({{"name", name},
                           {"kind", credential.kind},
                           {"client_id", credential.client_id},
                           {"scopes", credential.scopes},
                           {"secrets", std::move(secrets)}});
  }
  return json{{"credentials", std::move(credentials)}};
}

Outcome AdminService::SealKey(const Call& /*call*/) {
  return json{{"public_key", seal_box_.public_key()}};
}

Outcome AdminService::Reload(const Call& call) {
  const auto dry_run = call.body.find("dry_run");
  if (dry_run != call.body.end() && !dry_run->is_boolean()) return Refuse(Reason::kWrongType);
  const bool dry = dry_run != call.body.end() && dry_run->get<bool>();
  const auto report = ports_.supervisor.Ask(ipc::MessageType::kReloadRequest, dry ? "dry-run" : "");
  if (!report) return std::unexpected(FromError(report.error(), Reason::kRestarting));
  json body = json::parse(*report, nullptr, false);
  if (!body.is_object()) return Refuse(Reason::kInternal);
  return body;
}

Outcome AdminService::StartLogin(const Call& call) {
  const auto config = ports_.broker.config();
  const auto credential = config->credentials.find(call.argument);
  if (credential == config->credentials.end()) return Refuse(Reason::kNotFound);
  if (credential->second.kind != "refresh-token") {
    return Refuse(Reason::kValueOutOfRange,
                  "A " + credential->second.kind + " has no login; use purser secret set.");
  }
  const std::shared_ptr<Login> login(
      new Login{call.argument, {ports_.minter_ports, ports_.store, *config, credential->second}});
  const auto prompt = login->flow.Start();
  if (!prompt) return std::unexpected(prompt.error());
  login->ends = ports_.minter_ports.clock.Now() + prompt->expires_in;
  const std::string id = RandomHex(ports_.minter_ports.random);
  const std::scoped_lock lock(mutex_);
  std::erase_if(logins_, [&](const auto& other) {
    return other.second->ends < ports_.minter_ports.clock.Now();
  });
  if (logins_.size() >= kMaxLogins) return Refuse(Reason::kOverloaded);
  logins_[id] = login;
  return json{{"id", id},
              {"user_code", prompt->user_code},
              {"verification_uri", prompt->verification_uri},
              {"expires_in", prompt->expires_in.count()},
              {"interval", prompt->interval.count()}};
}

Outcome AdminService::PollLogin(const Call& call) {
  std::shared_ptr<Login> login;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = logins_.find(call.argument);
    if (found == logins_.end()) return Refuse(Reason::kNotFound);
    login = found->second;
  }
  const std::scoped_lock turn(login->turn);
  const auto done = login->flow.Poll();
  if (done && !*done) {
    return json{{"done", false}, {"interval", login->flow.interval().count()}};
  }
  {
    const std::scoped_lock lock(mutex_);
    logins_.erase(call.argument);
  }
  if (!done) return std::unexpected(done.error());
  ports_.minter.Forget(login->credential);
  ports_.cache.Evict(login->credential);
  return json{{"done", true}, {"consented", login->flow.consented()}};
}

Outcome AdminService::SetSecret(const Call& call) {
  const auto config = ports_.broker.config();
  const auto credential = config->credentials.find(call.argument);
  if (credential == config->credentials.end()) return Refuse(Reason::kNotFound);
  const SecretKind kind = KindOf(credential->second);
  if (kind == SecretKind::kRefreshToken) {
    return Refuse(Reason::kValueOutOfRange, "A refresh token comes from purser login.");
  }
  if (!call.body["sealed"].is_string()) return Refuse(Reason::kWrongType);
  const auto secret = seal_box_.Open(call.body["sealed"].get_ref<const std::string&>());
  if (!secret) return std::unexpected(FromError(secret.error(), Reason::kInternal));
  if (auto unfit = CheckSecret(kind, *secret)) return std::unexpected(std::move(*unfit));
  const auto version = ports_.store.Put({call.argument, kind}, *secret, std::nullopt);
  if (!version) return std::unexpected(FromError(version.error(), Reason::kStoreUnavailable));
  ports_.minter.Forget(call.argument);
  ports_.cache.Evict(call.argument);
  return json{{"version", *version}};
}

Outcome AdminService::Unseal(const Call& call) {
  if (!call.body["sealed"].is_string()) return Refuse(Reason::kWrongType);
  const auto secret = seal_box_.Open(call.body["sealed"].get_ref<const std::string&>());
  if (!secret) return std::unexpected(FromError(secret.error(), Reason::kInternal));
  const auto done = ports_.seal.UnsealWithPassphrase(*secret);
  if (!done) return std::unexpected(FromError(done.error(), Reason::kStoreUnavailable));
  return json{{"unsealed", true}};
}

Outcome AdminService::RotateSeal(const Call& call) {
  if (!call.body["sealed"].is_string()) return Refuse(Reason::kWrongType);
  const auto secret = seal_box_.Open(call.body["sealed"].get_ref<const std::string&>());
  if (!secret) return std::unexpected(FromError(secret.error(), Reason::kInternal));
  const auto rows = ports_.seal.Rotate(ports_.broker.config()->seal, *secret);
  if (!rows) return std::unexpected(FromError(rows.error(), Reason::kStoreUnavailable));
  return json{{"rewritten", *rows}};
}

Outcome AdminService::ResumeLedger(const Call& /*call*/) {
  const auto state = ports_.ledger.Resume();
  if (!state) return std::unexpected(FromError(state.error(), Reason::kLedgerUnavailable));
  if (state->latched) {
    return Refuse(Reason::kLedgerUnavailable, "Still not writable: " + state->latch_reason + ".");
  }
  return json{{"seq", state->seq}, {"leaf", state->leaf_hex}};
}

Outcome AdminService::TryCredential(const Call& call) {
  broker::ledger::Entry who;
  who.caller = broker::RecordOf(call.peer.caller.facts);
  who.request_id = call.request.request_id;
  who.target_kind = "doctor";
  const auto token = ports_.broker.Try(call.argument, who);
  if (!token) return std::unexpected(token.error());
  const auto left = (*token)->exp_unix - std::chrono::duration_cast<std::chrono::seconds>(
                                             ports_.minter_ports.clock.WallNow().time_since_epoch())
                                             .count();
  return json{{"scopes", (*token)->scopes}, {"app_only", (*token)->app_only}, {"expires_in", left}};
}

Outcome AdminService::TryHosts(const Call& /*call*/) {
  json hosts = json::array();
  const auto& tenant = ports_.broker.config()->tenant;
  broker::HttpRequest request;
  request.method = "GET";
  request.url = tenant.authority + "/" + tenant.id + "/v2.0/.well-known/openid-configuration";
  const auto response = ports_.minter_ports.http.Send(request);
  json row = {{"url", request.url}, {"reached", response.has_value()}};
  if (response) row["status"] = response->status;
  if (!response) row["error"] = response.error().detail;
  hosts.push_back(std::move(row));
  return json{{"hosts", std::move(hosts)}};
}

}  // namespace sidecar::broker_role
