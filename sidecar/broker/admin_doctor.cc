// What `purser doctor` has the broker try: only the broker reaches the network.
#include <algorithm>
#include <chrono>

#include "broker/base/unix_time.h"
#include "broker/caller_record.h"
#include "broker/entra/scope_list.h"
#include "broker/policy/config_parser.h"
#include "broker/policy/config_values.h"
#include "sidecar/broker/admin_service.h"
#include "sidecar/broker/credential_secrets.h"
#include "sidecar/ipc/messages.h"

namespace sidecar::broker_role {
namespace {

using nlohmann::json;
using std::chrono::duration_cast, std::chrono::milliseconds, std::chrono::seconds;

// For one host, and for all of them: `purser doctor` waits a minute for the answer.
constexpr milliseconds kHostDeadline{10000};
constexpr milliseconds kAllHostsDeadline{45000};

// Any HTTP status is an answer: the way there and the certificate are what is examined.
json TryUrl(const broker::Minter::Ports& ports, const std::string& url, milliseconds deadline) {
  broker::HttpRequest request;
  request.method = "GET";
  request.url = url;
  request.deadline = deadline;
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

// "Mail.Read" of "https://graph.microsoft.com/Mail.Read": tokens and answers have short names.
std::string_view ShortName(std::string_view scope) {
  return scope.substr(scope.rfind('/') == scope.npos ? 0 : scope.rfind('/') + 1);
}

}  // namespace

std::vector<std::string> OverConsented(const broker::policy::Credential& credential,
                                       const std::vector<std::string>& held) {
  std::vector<std::string> excess;
  std::ranges::copy_if(held, std::back_inserter(excess), [&](const std::string& scope) {
    const auto same = [&](const std::string& listed) {
      return ShortName(listed) == ShortName(scope);
    };
    return !broker::entra::IsOidcScope(scope) && std::ranges::none_of(credential.scopes, same);
  });
  return excess;
}

AdminService::Outcome AdminService::TryCredential(const Call& call) {
  const auto config = ports_.broker.config();
  const auto credential = config->credentials.find(call.argument);
  if (credential == config->credentials.end()) return NoSuchCredential();
  if (credential->second.kind == "webhook-url") {
    return broker::Refuse(broker::Reason::kValueOutOfRange,
                          "The address of a webhook has no token to try.");
  }
  broker::ledger::Entry who;
  who.caller = broker::RecordOf(call.peer.caller.facts);
  who.request_id = call.request.request_id;
  who.target_kind = "doctor";
  const auto token = ports_.broker.Try(call.argument, who);
  if (!token) {
    broker::Refusal refusal = token.error();
    // An operator may know what an agent may not.
    if (refusal.hint.empty()) refusal.hint = refusal.detail;
    return std::unexpected(std::move(refusal));
  }
  const int64_t now = broker::UnixSeconds(ports_.minter_ports.clock.WallNow());
  json answer = {{"scopes", (*token)->scopes},
                 {"over_consented", OverConsented(credential->second, (*token)->scopes)},
                 {"app_only", (*token)->app_only},
                 {"expires_in", (*token)->exp_unix - now}};
  const std::string unused = ports_.rotations.UnusedVersion(call.argument);
  if (!unused.empty()) answer["unused_version"] = unused;
  return answer;
}

// The dialer's whole list, the authority first: its clock is the one that counts.
AdminService::Outcome AdminService::TryHosts(const Call& /*call*/) {
  const auto config = ports_.broker.config();
  const auto& tenant = config->tenant;
  std::vector<std::string> urls{tenant.authority + "/" + tenant.id +
                                "/v2.0/.well-known/openid-configuration"};
  for (const std::string& host : broker::policy::Hosts(*config)) {
    if (host != broker::policy::HostAndPort(tenant.authority))
      urls.push_back("https://" + host + "/");
  }
  for (const std::string& host : broker::policy::LocalHosts(*config)) {
    urls.push_back("http://" + host + "/");
  }
  const milliseconds share = kAllHostsDeadline / static_cast<int64_t>(urls.size());
  json rows = json::array();
  for (const std::string& url : urls) {
    rows.push_back(TryUrl(ports_.minter_ports, url, std::min(kHostDeadline, share)));
  }
  return json{{"hosts", std::move(rows)}};
}

}  // namespace sidecar::broker_role
