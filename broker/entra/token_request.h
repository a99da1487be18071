// broker/entra/token_request.h: requests to the v2.0 endpoints of one tenant, as pure functions.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/secret.h"
#include "broker/ports/http_transport.h"

namespace broker::entra {

/// Where a tenant's tokens come from.
struct Authority {
  std::string base;    // "https://login.microsoftonline.com", no trailing slash
  std::string tenant;  // GUID or domain
};

std::string TokenUrl(const Authority& authority);
std::string DeviceCodeUrl(const Authority& authority);
/// OpenID Connect Discovery 1.0 §4, as Entra serves it per tenant.
std::string DiscoveryUrl(const Authority& authority);
/// The tenant's signing keys (RFC 7517), at the authority itself: no other host needs a listing.
std::string KeysUrl(const Authority& authority);

/// Which application asks, and how it proves that. At most one of the two secrets is set; neither:
/// a public client.
struct Client {
  std::string id;
  Secret secret;
  Secret assertion;  // a signed JWT (entra/client_assertion.h)
};

/// What is asked for, besides the grant.
struct Wanted {
  std::string scope;       // space-separated, as ScopeText() makes it
  std::string claims;      // a claims request in JSON, or empty
  std::string request_id;  // sent as client-request-id; joins with Entra's own logs; may be empty
};

/// "resource/name resource/name": each name as a full URI; `.default` where `names` is empty.
std::string ScopeText(std::string_view resource, const std::vector<std::string>& names);

/// RFC 6749 §4.4 with client_secret or RFC 7523 client assertion. `wanted.scope` must be
/// "resource/.default": Entra knows no other for applications.
HttpRequest ClientCredentialsGrant(const Authority& authority, const Client& client,
                                   const Wanted& wanted);
/// RFC 6749 §6. Adds offline_access to the scope: without it Entra sends no new refresh token.
HttpRequest RefreshTokenGrant(const Authority& authority, const Client& client,
                              const Secret& refresh_token, const Wanted& wanted);

/// What a browser came back with, and what proves that the login was begun here.
struct CodeProof {
  const Secret& code;
  const Secret& verifier;
  std::string redirect_uri;  // as in the authorize request
};
/// RFC 6749 §4.1.3 with the verifier of RFC 7636 §4.5. Adds offline_access to the scope. Who the
/// answer is for must be compared with the configuration before its refresh token is kept.
HttpRequest AuthorizationCodeGrant(const Authority& authority, const Client& client,
                                   const CodeProof& proof, const Wanted& wanted);

/// OAuth 2.0 on-behalf-of: RFC 7523 §2.1 with a user's token as the grant, whose audience is this
/// application (of an agent identity: its blueprint). No refresh token is asked for.
HttpRequest OnBehalfOfGrant(const Authority& authority, const Client& client,
                            const Secret& user_assertion, const Wanted& wanted);

// Entra Agent ID, "Agent OAuth flows". An agent identity has no credential: its blueprint's proves
// it, and the first leg's token is the agent's client assertion in the others.
/// The first leg: `wanted.scope` is the exchange audience's .default, `agent_id` the agent's client
/// id.
HttpRequest BlueprintGrant(const Authority& authority, const Client& blueprint,
                           const std::string& agent_id, const Wanted& wanted);
/// The agent's own user account. `agent_token`: of the agent itself, for the exchange audience.
HttpRequest AgentUserGrant(const Authority& authority, const Client& agent,
                           const Secret& agent_token, const std::string& user_oid,
                           const Wanted& wanted);

/// RFC 8628 §3.1. Adds offline_access to the scope.
HttpRequest DeviceCodeStart(const Authority& authority, const Client& client, const Wanted& wanted);
/// The same for who the person is and nothing else: no refresh token, no scope of any resource.
HttpRequest SignInCodeStart(const Authority& authority, const Client& client);
/// RFC 8628 §3.4.
HttpRequest DeviceCodeGrant(const Authority& authority, const Client& client,
                            const Secret& device_code);

}  // namespace broker::entra
