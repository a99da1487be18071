#include "broker/policy/registrations.h"

#include <algorithm>
#include <set>

#include "broker/base/ascii.h"
#include "broker/policy/kinds.h"
#include "broker/policy/scopes.h"

namespace broker::policy {
namespace {

using Scopes = std::set<std::string>;

// Which agents may have which of the credential's scopes.
std::map<Scopes, std::vector<std::string>> SetsOf(const Config& config,
                                                  const std::string& credential) {
  std::map<Scopes, std::vector<std::string>> sets;
  for (const auto& [name, agent] : config.agents) {
    Scopes scopes;
    for (const Rule& rule : agent.rules) {
      if (rule.credential == credential) scopes.insert(rule.scopes.begin(), rule.scopes.end());
    }
    if (!scopes.empty()) sets[scopes].push_back(name);
  }
  return sets;
}

bool ProvesAgentIdentity(const Config& config, const std::string& name) {
  return std::ranges::any_of(config.credentials, [&](const auto& other) {
    return other.second.kind == "agent-identity" && other.second.proof == name;
  });
}

bool ShowsAVault(const Config& config, const Credential& credential) {
  return std::ranges::any_of(
      config.vaults, [&](const auto& vault) { return ShowsVault(vault.second, credential); });
}

}  // namespace

bool IsDelegated(const Credential& credential) {
  return SubjectOf(credential) != Subject::kApplication;
}

bool IsYetToBeMade(const Credential& credential) {
  return std::ranges::all_of(credential.client_id, [](char c) { return c == '0' || c == '-'; });
}

std::string RegistrationKey(const Credential& credential) {
  if (IsYetToBeMade(credential)) return credential.name;
  return Lowered(credential.client_id);
}

bool ShowsVault(const Vault& vault, const Credential& credential) {
  if (vault.auth == "credential:" + credential.name) return true;
  // What a platform projects is one file: where the client id is the same, so is the registration.
  return vault.auth == "workload-identity" && credential.kind == "federated" &&
         credential.proof.empty() && SameIgnoringCase(vault.client_id, credential.client_id);
}

std::vector<Registration> DeriveRegistrations(const Config& config) {
  std::vector<Registration> registrations;
  for (const auto& [name, credential] : config.credentials) {
    const auto sets = SetsOf(config, name);
    if (sets.empty() && (ProvesAgentIdentity(config, name) || ShowsAVault(config, credential))) {
      registrations.push_back({.credential = name, .written = &credential});
    }
    const bool writes = std::ranges::any_of(config.notifiers, [&](const auto& one) {
      return one.second.kind == "teams-chat" && one.second.credential == name;
    });
    if (sets.empty() && (name == config.admin.upstream || writes)) {
      const Scopes all(credential.scopes.begin(), credential.scopes.end());
      registrations.push_back(
          {.credential = name, .written = &credential, .scopes = {all.begin(), all.end()}});
    }
    for (const auto& [scopes, agents] : sets) {
      registrations.push_back({.credential = sets.size() > 1 ? name + "-" + agents.front() : name,
                               .written = &credential,
                               .agents = agents,
                               .scopes = {scopes.begin(), scopes.end()}});
    }
  }
  return registrations;
}

}  // namespace broker::policy
