// broker/upstream_stop.h: what ends at Entra what purser has stopped here.
#pragma once
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "broker/base/secret.h"
#include "broker/graph_client.h"
#include "broker/policy/config.h"

namespace broker {

enum class UpstreamDeed : uint8_t {
  kRemoveSecret,      // purser's client secret, from the registration
  kRemoveKey,         // purser's certificate, from the registration
  kRevokeSessions,    // all refresh tokens of the user, of every application
  kDeleteGrants,      // the registration's delegated grants of the user and for everybody
  kDisablePrincipal,  // the registration or managed identity gets no more tokens
  kDisableAgent,      // the same for an agent identity
};

struct UpstreamStep {
  UpstreamDeed deed{};
  std::string credential;  // on whose account
  std::string target;      // the client id, or of kRevokeSessions the user
  std::string user;        // kDeleteGrants: whose
  bool blueprint = false;  // the registration is an agent identity's blueprint
  bool operator==(const UpstreamStep&) const = default;
};

struct UpstreamResult {
  bool done = false;
  std::string detail;  // for operators: what was found, or what failed and what to grant
};

/// In plain words: "remove the client secret of".
std::string_view DeedText(UpstreamDeed deed);

/// What takes back the credential alone: its secret or certificate, the user's sessions and grants;
/// of what has neither, the identity itself.
std::vector<UpstreamStep> StepsToRevoke(const policy::Config& config,
                                        const policy::Credential& credential);
/// What disables the identities that these agents act as, each once. A credential that an agent
/// besides them uses is left, and named in `shared`, as is what purser acts with itself; so are the
/// sessions of a user whom another agent acts for.
std::vector<UpstreamStep> StepsToDisable(const policy::Config& config,
                                         const std::set<std::string>& agents,
                                         std::set<std::string>* shared);

/// Carries out one step at Graph with `token`. Blocks. Thread-safe where `graph` is. `current`: the
/// secret that is to be removed; null for all other deeds.
UpstreamResult CarryOut(GraphClient& graph, const Clock& clock, const policy::Config& config,
                        const SharedToken& token, const UpstreamStep& step, const Secret* current);

}  // namespace broker
