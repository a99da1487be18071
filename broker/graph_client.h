// broker/graph_client.h: administrative requests to Microsoft Graph, with a credential's own token.
#pragma once
#include <expected>
#include <string>

#include "broker/graph/graph_error.h"
#include "broker/ledger/entry.h"
#include "broker/minter.h"
#include "broker/policy/config.h"
#include "broker/ports/clock.h"
#include "broker/ports/http_transport.h"
#include "broker/ports/token_cache.h"

namespace broker {

template <class T>
using GraphResult = std::expected<T, graph::GraphError>;

/// For what purser does to its own registrations, never for an agent. Thread-safe; borrows all.
class GraphClient {
 public:
  GraphClient(HttpTransport& http, Minter& minter, const Clock& clock)
      : http_(http), minter_(minter), clock_(clock) {}

  /// A token of the credential's for Graph, all that is consented to, minted anew. It is compared
  /// with the configuration (CheckForGraph) and is nobody's but the caller's. `who`: copied into
  /// the entries that reading the secret makes. Errors: kNoToken; the detail says why.
  GraphResult<SharedToken> Token(const policy::Config& config, const policy::Credential& credential,
                                 ledger::Entry who);
  /// One request with it, no retry: what a lost answer did is the caller's to find out. Returns the
  /// body of any 2xx. `permission`: what is to be granted where Graph says 403.
  GraphResult<Secret> Send(const SharedToken& token, HttpRequest request,
                           const std::string& permission);

 private:
  HttpTransport& http_;
  Minter& minter_;
  const Clock& clock_;
};

}  // namespace broker
