// What `purser doctor` has the broker try: only the broker reaches the network.
#include <chrono>

#include "sidecar/broker/admin_service.h"
#include "sidecar/ipc/messages.h"

namespace sidecar::broker_role {
namespace {

using nlohmann::json;
using Outcome = AdminService::Outcome;
using std::chrono::duration_cast, std::chrono::seconds;

// Any HTTP status is an answer: the way there and the certificate are what is examined.
json TryUrl(const broker::Minter::Ports& ports, const std::string& url) {
  broker::HttpRequest request;
  request.method = "GET";
  request.url = url;
  const auto response = ports.http.Send(request);
  json row = {{"url", url}, {"reached", response.has_value()}};
  if (!response) row["error"] = response.error().detail;
  if (!response) return row;
  row["status"] = response->status;
  // Positive: this machine's clock is ahead.
  if (response->date) {
    row["clock_skew_s"] = duration_cast<seconds>(ports.clock.WallNow() - *response->date).count();
  }
  return row;
}

}  // namespace

Outcome AdminService::TryCredential(const Call& call) {
  broker::ledger::Entry who;
  who.caller = broker::RecordOf(call.peer.caller.facts);
  who.request_id = call.request.request_id;
  who.target_kind = "doctor";
  const auto token = ports_.broker.Try(call.argument, who);
  if (!token) return std::unexpected(token.error());
  const auto now =
      duration_cast<seconds>(ports_.minter_ports.clock.WallNow().time_since_epoch()).count();
  return json{{"scopes", (*token)->scopes},
              {"app_only", (*token)->app_only},
              {"expires_in", (*token)->exp_unix - now}};
}

// Every host that the dialer would connect to.
Outcome AdminService::TryHosts(const Call& /*call*/) {
  const auto config = ports_.broker.config();
  const auto& tenant = config->tenant;
  json hosts = json::array();
  hosts.push_back(TryUrl(ports_.minter_ports, tenant.authority + "/" + tenant.id +
                                                  "/v2.0/.well-known/openid-configuration"));
  hosts.push_back(TryUrl(ports_.minter_ports, tenant.graph + "/v1.0/"));
  return json{{"hosts", std::move(hosts)}};
}

}  // namespace sidecar::broker_role
