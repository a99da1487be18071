// Taking a credential out of use, an agent's rights, or one token. What is refused works at once,
// and is recorded then: as for a stop.
#include <algorithm>
#include <utility>

#include "sidecar/broker/admin_alive.h"
#include "sidecar/broker/admin_service.h"
#include "sidecar/broker/admin_why.h"
#include "sidecar/broker/credential_secrets.h"

namespace sidecar::broker_role {

using broker::Reason, broker::Refuse;
using broker::ledger::Entry, broker::ledger::EntryType;
using nlohmann::json;
using Outcome = AdminService::Outcome;
using LedgerOutcome = AdminService::LedgerOutcome;

namespace {

std::string NameOf(broker::SecretKind kind) {
  switch (kind) {
    case broker::SecretKind::kRefreshToken:
      return "refresh token";
    case broker::SecretKind::kClientSecret:
      return "client secret";
    case broker::SecretKind::kCertificate:
      return "certificate";
    case broker::SecretKind::kInternal:
      break;
  }
  return "secret";
}

}  // namespace

Outcome AdminService::Revoke(const Call& call) {
  const auto why = WhyOf(call.body);
  if (!why) return std::unexpected(why.error());
  const size_t besides = call.body.contains("why") + call.body.contains("upstream");
  if (call.body.size() - besides != 1) {
    return Refuse(Reason::kMissingField,
                  R"(Send {"credential":"NAME"}, {"agent":"NAME"} or {"token_seq":NUMBER}.)");
  }
  if (call.body.contains("upstream")) {
    if (call.body["upstream"] != json(true)) return Refuse(Reason::kWrongType);
    if (!call.body.contains("credential")) {
      return Refuse(Reason::kUnknownField, "Only of a credential; of an agent: /v1/upstream.");
    }
  }
  if (call.body.contains("agent")) return Kill(call);
  if (call.body.contains("token_seq")) return RevokeToken(call, *why);
  return RevokeCredential(call, *why);
}

// In this order: it is refused from now on · what was minted with it is wiped, and what was begun
// or approved for it ends · its secrets are overwritten. A store or ledger that fails undoes
// nothing of it.
Outcome AdminService::RevokeCredential(const Call& call, const std::string& why) {
  if (!call.body["credential"].is_string()) return Refuse(Reason::kWrongType);
  const auto name = call.body["credential"].get<std::string>();
  const auto config = ports_.broker.config();
  const auto credential = config->credentials.find(name);
  if (credential == config->credentials.end()) return NoSuchCredential();
  const auto affected = broker::WithDependents(*config, name);
  const broker::Status stored = ports_.revoked.Revoke(name);
  for (const std::string& one : affected) ports_.cache.Evict(one);
  logins_.Drop(name);
  ports_.approvals.EndOf(affected);
  std::string trouble = stored ? std::string() : stored.error().detail;
  const bool upstream = call.body.contains("upstream");
  const auto steps = upstream ? broker::StepsToRevoke(*config, credential->second)
                              : std::vector<broker::UpstreamStep>();
  const broker::Secret current =
      upstream ? TakeForRemoval(call, credential->second) : broker::Secret();
  const json destroyed = Destroy(credential->second, &trouble);
  ports_.rotations.Wake();  // one that is under way is taken back

  Entry entry = EntryOf(call, EntryType::kSecretRevoked,
                        trouble.empty() ? LedgerOutcome::kSuccess : LedgerOutcome::kFailure);
  if (!trouble.empty()) entry.reason = broker::Describe(Reason::kStoreUnavailable).name;
  entry.credential_name = name;
  entry.credential_kind = credential->second.kind;
  if (!why.empty()) entry.change["why"] = why;
  entry.change["destroyed"] = static_cast<int64_t>(destroyed.size());
  const auto receipt = ports_.minter_ports.ledger.Append(entry);

  json body = {{"revoked", name},
               {"kind", credential->second.kind},
               {"affected", affected},
               {"destroyed", destroyed},
               {"vault", credential->second.vault},
               {"recorded", receipt.has_value()},
               {"durable", trouble.empty()}};
  if (receipt) body["seq"] = receipt->seq;
  if (!receipt) body["why_not_recorded"] = receipt.error().detail;
  if (!trouble.empty()) body["why_not_durable"] = trouble;
  auto alive = ports_.broker.outstanding().Of({});
  std::erase_if(alive.tokens, [&](const auto& one) { return !affected.contains(one.credential); });
  AddAlive(alive, &body);
  if (upstream) {
    body["upstream"] =
        upstream_.Run(*config, steps, current.empty() ? nullptr : &current,
                      EntryOf(call, EntryType::kAdminAction, LedgerOutcome::kPending));
  }
  return body;
}

// What has to be known to find it at Entra, and for a certificate to show that purser may: read
// once more, and recorded, before it is destroyed. Empty: it cannot be had.
broker::Secret AdminService::TakeForRemoval(const Call& call,
                                            const broker::policy::Credential& credential) {
  const bool certificate = credential.kind == "certificate";
  if (!certificate && credential.kind != "client-secret" && !credential.confidential) return {};
  Entry access = EntryOf(call, EntryType::kCredentialAccess, LedgerOutcome::kSuccess);
  access.credential_name = credential.name;
  access.credential_kind = credential.kind;
  if (!ports_.minter_ports.ledger.Append(access)) return {};
  auto found = ports_.minter_ports.vault.Fetch(
      {credential.name,
       certificate ? broker::SecretKind::kCertificate : broker::SecretKind::kClientSecret});
  return found ? std::move(found->value) : broker::Secret();
}

// Of agents that are stopped already: the stop itself waits for nobody.
Outcome AdminService::Upstream(const Call& call) {
  const bool all = call.body.contains("all");
  if (all == call.body.contains("agent") || (all && call.body["all"] != json(true))) {
    return Refuse(Reason::kMissingField, R"(Send {"agent":"NAME"} or {"all":true}.)");
  }
  if (!all && !call.body["agent"].is_string()) return Refuse(Reason::kWrongType);
  const auto config = ports_.broker.config();
  std::set<std::string> agents;
  for (const auto& [name, agent] : config->agents) {
    if (all || call.body["agent"] == name) agents.insert(name);
  }
  if (agents.empty()) return Refuse(Reason::kNotFound, "The configuration has no such agent.");
  for (const std::string& agent : agents) {
    if (ports_.broker.kills().IsStopped(agent)) continue;
    return Refuse(Reason::kConflict, "Stop it first: purser kill.");
  }
  std::set<std::string> left;
  const auto steps = broker::StepsToDisable(*config, agents, &left);
  Entry who = EntryOf(call, EntryType::kAdminAction, LedgerOutcome::kPending);
  json results = upstream_.Run(*config, steps, nullptr, std::move(who));
  return json{{"upstream", std::move(results)}, {"left", left}};
}

// What purser's own store keeps of it is overwritten with nothing.
AdminService::Json AdminService::Destroy(const broker::policy::Credential& credential,
                                         std::string* trouble) {
  json destroyed = json::array();
  if (!credential.vault.empty()) return destroyed;
  const auto kept = ports_.store.List();
  if (!kept) *trouble = kept.error().detail;
  for (const broker::SecretKind kind : SecretsOf(credential)) {
    const broker::SecretId id{credential.name, kind};
    const bool there =
        kept && std::ranges::any_of(*kept, [&](const auto& one) { return one.id == id; });
    if (!there) continue;
    const auto done = ports_.store.Put(id, broker::Secret(), std::nullopt);
    if (done) destroyed.push_back(NameOf(kind));
    if (!done) *trouble = done.error().detail;
  }
  return destroyed;
}

// What is kept for the credential is wiped, so that nobody is given this token again; the one that
// was given lives on.
Outcome AdminService::RevokeToken(const Call& call, const std::string& why) {
  const json& number = call.body.at("token_seq");
  if (!number.is_number_unsigned()) return Refuse(Reason::kWrongType);
  const auto seq = number.get<uint64_t>();
  auto alive = ports_.broker.outstanding().Of({});
  std::erase_if(alive.tokens, [&](const auto& one) { return one.seq != seq; });
  if (alive.tokens.empty()) {
    return Refuse(Reason::kNotFound,
                  "No token that is known to be still valid has this entry." +
                      (alive.earlier_unknown.empty()
                           ? std::string()
                           : " Those from before purser-broker's start are not all known: " +
                                 alive.earlier_unknown +
                                 ". purser audit search --type token.issued tells the credential "
                                 "of one: purser revoke CREDENTIAL."));
  }
  const std::string credential = alive.tokens.front().credential;
  ports_.cache.Evict(credential);
  Entry entry = EntryOf(call, EntryType::kAdminAction, LedgerOutcome::kSuccess);
  entry.agent = alive.tokens.front().agent;
  entry.credential_name = credential;
  entry.change["token_seq"] = static_cast<int64_t>(seq);
  if (!why.empty()) entry.change["why"] = why;
  const auto receipt = ports_.minter_ports.ledger.Append(entry);
  json body = {{"revoked_token", seq},
               {"credential", credential},
               {"agent", entry.agent},
               {"recorded", receipt.has_value()}};
  if (receipt) body["seq"] = receipt->seq;
  if (!receipt) body["why_not_recorded"] = receipt.error().detail;
  alive.forgotten = 0;
  AddAlive(alive, &body);
  return body;
}

// Back into use: of what a vault elsewhere keeps, or what has no secret at all.
Outcome AdminService::ReleaseCredential(const Call& call) {
  const auto why = WhyOf(call.body);
  if (!why) return std::unexpected(why.error());
  if (call.body.size() != 2) {
    return Refuse(Reason::kUnknownField, "Send credential and why, and no agent.");
  }
  if (!call.body["credential"].is_string()) return Refuse(Reason::kWrongType);
  const auto name = call.body["credential"].get<std::string>();
  const Teardown::Gate gate(teardown_, SupervisorOfTeardown());
  if (gate.refusal()) return std::unexpected(*gate.refusal());
  const auto config = ports_.broker.config();
  const auto credential = config->credentials.find(name);
  if (credential == config->credentials.end()) return NoSuchCredential();
  const uint64_t seen = ports_.revoked.times();
  if (!ports_.minter_ports.revocations->Has(name)) {
    return Refuse(Reason::kConflict, "The credential is not revoked.");
  }
  if (!SecretsOf(credential->second).empty() && credential->second.vault.empty()) {
    return Refuse(Reason::kConflict, "Its secret was destroyed: " +
                                         std::string(credential->second.kind == "refresh-token"
                                                         ? "purser login "
                                                         : "purser secret set ") +
                                         name + " puts a new one in its place, and it to use.");
  }
  Entry entry = EntryOf(call, EntryType::kAdminAction, LedgerOutcome::kSuccess);
  entry.credential_name = name;
  entry.change["why"] = *why;
  const auto alone = AskSecondPerson(call, "credential " + name, seen, &entry);
  if (alone) return std::unexpected(*alone);
  const auto receipt = ports_.minter_ports.ledger.Append(entry);
  if (!receipt) return std::unexpected(RefusalOf(receipt.error(), Reason::kLedgerUnavailable));
  if (entry.outcome == LedgerOutcome::kPending) return Proposed(receipt->seq);
  const broker::Status lifted = ports_.revoked.Lift(name, seen);
  if (!lifted) return std::unexpected(RefusalOf(lifted.error(), Reason::kStoreUnavailable));
  ports_.minter.Forget(name);
  return json{{"released", name}, {"seq", receipt->seq}};
}

}  // namespace sidecar::broker_role
