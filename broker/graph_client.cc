#include "broker/graph_client.h"

#include <utility>

#include "broker/minted_check.h"

namespace broker {
namespace {

std::unexpected<graph::GraphError> NoToken(const policy::Credential& credential,
                                           const Refusal& refusal) {
  const std::string why = refusal.detail.empty() ? refusal.hint : refusal.detail;
  return std::unexpected(graph::GraphError{graph::Fault::kNoToken,
                                           {},
                                           "no token for Graph with credential " + credential.name +
                                               " (" + std::string(Describe(refusal.reason).name) +
                                               (why.empty() ? ")" : "): " + why),
                                           refusal.retry_after});
}

}  // namespace

GraphResult<SharedToken> GraphClient::Token(const policy::Config& config,
                                            const policy::Credential& credential,
                                            ledger::Entry who) {
  if (who.target_kind.empty()) who.target_kind = "graph";
  who.target_resource = config.tenant.graph;
  who.policy_sha256 = config.sha256;
  const TokenKey key{credential.name, config.tenant.graph, {".default"}, {}, credential.user};
  auto token = minter_.Mint(config, credential, key, who);
  if (!token) return NoToken(credential, token.error());
  if (const auto wrong = CheckForGraph(**token, config, credential, clock_.WallNow())) {
    minter_.ReportRefused(credential, who.request_id, *wrong);
    return NoToken(credential, *wrong);
  }
  return std::move(*token);
}

GraphResult<Secret> GraphClient::Send(const SharedToken& token, HttpRequest request,
                                      const std::string& permission) {
  Secret bearer = Secret::CopyOf("Bearer ");
  bearer.Append(token->value);
  request.secret_headers.emplace_back("Authorization", std::move(bearer));
  auto response = http_.Send(request);
  if (!response) return std::unexpected(graph::ReadTransportError(response.error()));
  if (response->status >= 200 && response->status < 300) return std::move(response->body);
  return std::unexpected(graph::ReadGraphError(*response, permission));
}

}  // namespace broker
