#include "broker/upstream_stop.h"

#include <algorithm>
#include <utility>

#include "broker/base/ascii.h"
#include "broker/entra/client_certificate.h"
#include "broker/entra/proof_of_possession.h"
#include "broker/graph/application.h"
#include "broker/graph/principal.h"

namespace broker {
namespace {

using graph::Fault, graph::GraphError;
using Steps = std::vector<UpstreamStep>;

constexpr size_t kHintLength = 3;  // what Entra shows of a client secret
// Somebody waits for several of them in a row: less than a login's.
constexpr std::chrono::milliseconds kDeadline{8000};

bool IsBlueprint(const policy::Config& config, const std::string& credential) {
  return std::ranges::any_of(config.credentials, [&](const auto& other) {
    return other.second.kind == "agent-identity" && other.second.proof == credential;
  });
}

UpstreamStep Step(UpstreamDeed deed, const policy::Credential& credential) {
  return {.deed = deed, .credential = credential.name, .target = credential.client_id, .user = {}};
}

// The identity behind the credential.
UpstreamStep Disabling(const policy::Credential& credential) {
  const bool agent = credential.kind == "agent-identity";
  return Step(agent ? UpstreamDeed::kDisableAgent : UpstreamDeed::kDisablePrincipal, credential);
}

UpstreamStep EndingSessions(const policy::Credential& credential) {
  UpstreamStep step = Step(UpstreamDeed::kRevokeSessions, credential);
  step.target = credential.user;
  return step;
}

std::set<std::string> CredentialsOf(const policy::Agent& agent) {
  std::set<std::string> names;
  for (const policy::Rule& rule : agent.rules) names.insert(rule.credential);
  return names;
}

bool IsUserOfAny(const policy::Config& config, const std::set<std::string>& credentials,
                 const std::string& user) {
  return std::ranges::any_of(credentials, [&](const std::string& name) {
    const auto found = config.credentials.find(name);
    return found != config.credentials.end() && SameIgnoringCase(found->second.user, user);
  });
}

UpstreamResult Failed(const GraphError& error) { return {false, error.detail}; }
UpstreamResult Failed(const Error& error) { return {false, error.detail}; }

/// One step's requests.
class Deed {
 public:
  Deed(GraphClient& graph, const Clock& clock, const policy::Config& config,
       const SharedToken& token, const UpstreamStep& step)
      : graph_(graph), clock_(clock), origin_(config.tenant.graph), token_(token), step_(step) {}

  UpstreamResult Send(HttpRequest request, const std::string& permission, const char* done) {
    request.deadline = kDeadline;
    const auto sent = graph_.Send(token_, std::move(request), permission);
    return sent ? UpstreamResult{true, done} : Failed(sent.error());
  }

  UpstreamResult RemoveSecret(const Secret& current) {
    const auto found = Read();
    if (!found) return Failed(found.error());
    const auto hint = current.Expose(Exit::kInspectClaims).substr(0, kHintLength);
    std::vector<std::string> alike;
    for (const auto& one : found->passwords) {
      if (one.hint == hint) alike.push_back(one.key_id);
    }
    if (alike.empty()) return {true, "Entra has it no more"};
    if (alike.size() > 1) {
      return {false, std::to_string(alike.size()) +
                         " client secrets begin as this one does: remove the right one by hand"};
    }
    return Send(graph::RemovePassword(at(), alike.front()), Permission(), "removed");
  }

  UpstreamResult RemoveKey(const Secret& current) {
    const auto certificate = entra::ParseClientCertificate(current);
    if (!certificate) return Failed(certificate.error());
    const auto found = Read();
    if (!found) return Failed(found.error());
    const auto key = std::ranges::find(found->keys, entra::Sha1Thumbprint(certificate->der),
                                       &graph::KeyCredential::sha1);
    if (key == found->keys.end()) return {true, "Entra has it no more"};
    const auto proof = entra::SignProof(*certificate, found->object_id, clock_.WallNow());
    if (!proof) return Failed(proof.error());
    return Send(graph::RemoveKey(at(), key->key_id, *proof), Permission(), "removed");
  }

  UpstreamResult DeleteGrants() {
    const auto principal = Get(graph::ReadPrincipal(origin_, step_.target),
                               graph::kMayReadPrincipal, graph::ReadPrincipalAnswer);
    if (!principal) return Failed(principal.error());
    size_t deleted = 0;
    while (true) {
      const auto page =
          Get(graph::ListGrants(origin_, *principal), graph::kMayChangeGrants, graph::ReadGrants);
      if (!page) return Failed(page.error());
      const auto gone = DeletePage(page->grants);
      if (!gone) return Failed(gone.error());
      deleted += *gone;
      if (!page->more) return {true, std::to_string(deleted) + " deleted"};
      // What was deleted makes room on the page for what it did not list.
      if (*gone == 0) {
        return {false, std::to_string(deleted) +
                           " deleted; Graph has more than it lists at a time: look by hand"};
      }
    }
  }

 private:
  // How many were there still.
  GraphResult<size_t> DeletePage(const std::vector<graph::Grant>& grants) {
    size_t deleted = 0;
    for (const graph::Grant& grant : grants) {
      const bool whose = step_.user.empty() || grant.principal.empty() ||
                         SameIgnoringCase(grant.principal, step_.user);
      if (!whose) continue;
      const auto gone =
          graph_.Send(token_, graph::DeleteGrant(origin_, grant.id), graph::kMayChangeGrants);
      if (gone) ++deleted;
      if (!gone && gone.error().fault != Fault::kNotFound) return std::unexpected(gone.error());
    }
    return deleted;
  }
  [[nodiscard]] graph::ApplicationAddress at() const {
    return {origin_, step_.target, step_.blueprint};
  }
  [[nodiscard]] std::string Permission() const { return graph::PermissionToChange(at()); }

  template <typename Reader>
  auto Get(HttpRequest request, const std::string& permission, Reader read)
      -> GraphResult<typename decltype(read(Secret()))::value_type> {
    request.deadline = kDeadline;
    const auto body = graph_.Send(token_, std::move(request), permission);
    if (!body) return std::unexpected(body.error());
    auto answer = read(*body);
    if (!answer) return std::unexpected(GraphError{Fault::kInvalid, {}, answer.error().detail, {}});
    return std::move(*answer);
  }
  GraphResult<graph::Application> Read() {
    return Get(graph::ReadApplication(at()), graph::PermissionToRead(at()),
               graph::ReadApplicationAnswer);
  }

  GraphClient& graph_;
  const Clock& clock_;
  const std::string& origin_;
  const SharedToken& token_;
  const UpstreamStep& step_;
};

}  // namespace

std::string_view DeedText(UpstreamDeed deed) {
  switch (deed) {
    case UpstreamDeed::kRemoveSecret:
      return "remove the client secret of";
    case UpstreamDeed::kRemoveKey:
      return "remove the certificate of";
    case UpstreamDeed::kRevokeSessions:
      return "revoke the sessions of user";
    case UpstreamDeed::kDeleteGrants:
      return "delete the delegated grants of";
    case UpstreamDeed::kDisablePrincipal:
      return "disable the service principal of";
    case UpstreamDeed::kDisableAgent:
      return "disable the agent identity";
  }
  return {};
}

Steps StepsToRevoke(const policy::Config& config, const policy::Credential& credential) {
  Steps steps;
  if (credential.kind == "webhook-url") return steps;  // Entra does not know it
  const auto add = [&](UpstreamStep step) {
    step.blueprint = IsBlueprint(config, credential.name);
    steps.push_back(std::move(step));
  };
  if (credential.kind == "client-secret" || credential.confidential) {
    add(Step(UpstreamDeed::kRemoveSecret, credential));
  }
  if (credential.kind == "certificate") add(Step(UpstreamDeed::kRemoveKey, credential));
  if (credential.kind == "refresh-token") add(EndingSessions(credential));
  if (credential.kind == "refresh-token" || credential.kind == "on-behalf-of") {
    UpstreamStep step = Step(UpstreamDeed::kDeleteGrants, credential);
    step.user = credential.user;
    add(std::move(step));
  }
  if (steps.empty()) add(Disabling(credential));
  return steps;
}

Steps StepsToDisable(const policy::Config& config, const std::set<std::string>& agents,
                     std::set<std::string>* shared) {
  std::set<std::string> used, kept;
  for (const auto& [name, agent] : config.agents) {
    (agents.contains(name) ? used : kept).merge(CredentialsOf(agent));
  }
  const auto own = config.credentials.find(config.admin.upstream);
  Steps steps;
  const auto add = [&](const UpstreamStep& step) {
    const bool known = std::ranges::any_of(steps, [&](const UpstreamStep& other) {
      return other.deed == step.deed && SameIgnoringCase(other.target, step.target);
    });
    if (!known) steps.push_back(step);
  };
  for (const std::string& name : used) {
    const auto found = config.credentials.find(name);
    if (found == config.credentials.end()) continue;
    const policy::Credential& credential = found->second;
    const bool ours = own != config.credentials.end() &&
                      SameIgnoringCase(own->second.client_id, credential.client_id);
    if (kept.contains(name) || ours) {
      shared->insert(name);
      continue;
    }
    // Sessions end in every application: not while another agent acts for the same user.
    if (credential.kind == "refresh-token" && !IsUserOfAny(config, kept, credential.user)) {
      add(EndingSessions(credential));
    }
    add(Disabling(credential));
  }
  return steps;
}

UpstreamResult CarryOut(GraphClient& graph, const Clock& clock, const policy::Config& config,
                        const SharedToken& token, const UpstreamStep& step, const Secret* current) {
  Deed deed(graph, clock, config, token, step);
  const std::string& origin = config.tenant.graph;
  const bool removes =
      step.deed == UpstreamDeed::kRemoveSecret || step.deed == UpstreamDeed::kRemoveKey;
  if (removes && current == nullptr) {
    return {false, "purser has not got it, and cannot tell which one it is: remove it by hand"};
  }
  switch (step.deed) {
    case UpstreamDeed::kRemoveSecret:
      return deed.RemoveSecret(*current);
    case UpstreamDeed::kRemoveKey:
      return deed.RemoveKey(*current);
    case UpstreamDeed::kRevokeSessions:
      return deed.Send(graph::RevokeSessions(origin, step.target), graph::kMayRevokeSessions,
                       "revoked; it takes Entra some minutes");
    case UpstreamDeed::kDeleteGrants:
      return deed.DeleteGrants();
    case UpstreamDeed::kDisablePrincipal:
      return deed.Send(graph::DisablePrincipal(origin, step.target), graph::kMayDisablePrincipal,
                       "disabled");
    case UpstreamDeed::kDisableAgent:
      return deed.Send(graph::DisableAgent(origin, step.target), graph::kMayDisableAgent,
                       "disabled");
  }
  return {};
}

}  // namespace broker
