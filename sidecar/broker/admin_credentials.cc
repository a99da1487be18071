// GET /v1/credentials: what there is, where, for whom, how it fared, and until when it is good.
#include <algorithm>
#include <map>
#include <utility>

#include "broker/base/unix_time.h"
#include "sidecar/broker/admin_service.h"
#include "sidecar/broker/credential_ends.h"
#include "sidecar/broker/credential_secrets.h"

namespace sidecar::broker_role {
namespace {

using broker::Reason, broker::SecretKind;
using broker::policy::Config, broker::policy::Credential;
using nlohmann::json;
using Outcome = AdminService::Outcome;

// Where what proves the credential is. Never the name of a file of the platform's tokens: which one
// it is the configuration says.
json LivesIn(const Credential& credential) {
  if (!credential.vault.empty()) {
    json place = {{"in", "vault"}, {"vault", credential.vault}, {"name", credential.secret}};
    if (!credential.version.empty()) place["pinned"] = credential.version;
    return place;
  }
  if (!credential.proof.empty()) return {{"in", "credential"}, {"credential", credential.proof}};
  if (!credential.token_file.empty()) return {{"in", "file"}, {"path", credential.token_file}};
  if (credential.kind == "managed-identity") {
    return {{"in", "metadata-service"}, {"source", credential.source}};
  }
  return {{"in", "store"}};
}

// Who gets tokens of it, and what else lives by it.
json UsersOf(const Config& config, const std::string& name) {
  json users = json::array();
  for (const auto& [agent_name, agent] : config.agents) {
    for (const auto& rule : agent.rules) {
      if (rule.credential != name) continue;
      users.push_back({{"agent", agent_name}, {"rule", rule.name}, {"scopes", rule.scopes}});
    }
  }
  for (const auto& [other_name, other] : config.credentials) {
    if (other.proof == name) users.push_back({{"credential", other_name}});
    if (other.rotate_with == name) users.push_back({{"rotates", other_name}});
  }
  for (const auto& [vault_name, vault] : config.vaults) {
    if (vault.auth == "credential:" + name) users.push_back({{"vault", vault_name}});
  }
  for (const auto& [notifier_name, notifier] : config.notifiers) {
    if (notifier.credential == name) users.push_back({{"notifier", notifier_name}});
  }
  if (config.admin.upstream == name) users.push_back({{"admin", "upstream"}});
  return users;
}

json SecretsAsJson(const Credential& credential,
                   const std::vector<broker::StoredSecretInfo>& stored) {
  json secrets = json::array();
  for (const SecretKind kind : SecretsOf(credential)) {
    uint64_t version = 0;
    for (const auto& info : stored) {
      if (info.id == broker::SecretId{credential.name, kind}) version = info.version;
    }
    const bool refresh = kind == SecretKind::kRefreshToken;
    const std::string enrol = (refresh ? "purser login " : "purser secret set ") + credential.name;
    // Whether it is there, the vault knows: looking would be an access to the secret.
    if (!credential.vault.empty()) {
      secrets.push_back({{"enrol_by", enrol}, {"vault", credential.vault}});
      continue;
    }
    secrets.push_back({{"enrol_by", enrol}, {"enrolled", version != 0}, {"version", version}});
  }
  return secrets;
}

json LastUse(const broker::CredentialUse& use) {
  if (!use.last) return nullptr;
  const auto* const result = use.refusal ? broker::Describe(*use.refusal).name.data() : "token";
  return {{"at", broker::UnixSeconds(*use.last)}, {"result", result}};
}

// Nobody said when it ends: purser had it made to end then.
bool IsOwn(const broker::RotationView& rotation, const broker::CredentialUse& use) {
  return rotation.rotated != 0 && use.expiry && use.expiry->version == rotation.new_version;
}

void MarkAsOwn(json& end) {
  if (end["by"] == "operator") end["by"] = "rotation";
}

json OutstandingOf(const broker::Outstanding::List& all, const std::string& credential) {
  uint64_t count = 0;
  int64_t until = 0;
  for (const broker::LiveToken& token : all.tokens) {
    if (token.credential != credential) continue;
    ++count;
    until = std::max(until, token.exp_unix);
  }
  json outstanding = {{"tokens", count}};
  if (count > 0) outstanding["until"] = until;
  return outstanding;
}

}  // namespace

Outcome AdminService::Credentials(const Call& /*call*/) {
  const auto stored = ports_.store.List();
  if (!stored) return std::unexpected(RefusalOf(stored.error(), Reason::kStoreUnavailable));
  const auto config = ports_.broker.config();
  const auto versions = StoredVersions(*stored, *config);
  const auto now = ports_.minter_ports.clock.WallNow();
  const auto outstanding = ports_.broker.outstanding().Of({});
  std::map<std::string, broker::RotationView> rotations;
  for (auto& view : ports_.rotations.All()) rotations[view.credential] = std::move(view);
  json credentials = json::array();
  for (const auto& [name, credential] : config->credentials) {
    const broker::CredentialUse use = ports_.uses.Of(name);
    const auto version = versions.find(name);
    const auto rotation = rotations.find(name);
    json ends = json::array();
    for (const End& end :
         EndsOf(credential, use, version == versions.end() ? std::string() : version->second)) {
      ends.push_back(AsJson(end, now));
      if (rotation != rotations.end() && IsOwn(rotation->second, use)) MarkAsOwn(ends.back());
    }
    json shown = {{"name", name},
                  {"kind", credential.kind},
                  {"client_id", credential.client_id},
                  {"scopes", credential.scopes},
                  {"lives", LivesIn(credential)},
                  {"secrets", SecretsAsJson(credential, *stored)},
                  {"ends", std::move(ends)},
                  {"used_by", UsersOf(*config, name)},
                  {"last_use", LastUse(use)},
                  {"outstanding", OutstandingOf(outstanding, name)}};
    if (const auto by = ports_.minter_ports.revocations->Find(*config, credential)) {
      shown["revoked"] = *by;
      const bool destroyed = *by == name;
      for (json& secret : shown["secrets"]) {
        if (destroyed && secret.contains("enrolled")) secret["enrolled"] = false;
      }
    }
    if (rotation != rotations.end() && !IsQuiet(rotation->second)) {
      shown["rotation"] = AsJson(rotation->second);
    }
    if (!use.version.empty()) shown["version_used"] = use.version;
    if (use.minted) shown["last_token"] = broker::UnixSeconds(*use.minted);
    credentials.push_back(std::move(shown));
  }
  json body = {{"credentials", std::move(credentials)},
               {"since", broker::UnixSeconds(ports_.uses.since())},
               {"outstanding_forgotten", outstanding.forgotten}};
  if (!outstanding.earlier_unknown.empty()) {
    body["outstanding_unknown"] = outstanding.earlier_unknown;
  }
  return body;
}

}  // namespace sidecar::broker_role
