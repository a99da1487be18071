// AdminService: what `purser doctor` has tried.
#include <doctest/doctest.h>

#include "sidecar/broker/admin_service.h"
#include "test/sidecar/broker/admin_fixture.h"

using namespace admin_test;
using namespace sidecar::broker_role;
using broker::ErrorCode;
using nlohmann::json;

TEST_CASE("The authority is tried, and what its clock says of ours is told") {
  Fixture f;
  f.http.PushFailure(ErrorCode::kUnavailable, "cannot connect");
  const json away = f.Ask(kOperator, "POST", "/v1/doctor/hosts").body["hosts"];
  REQUIRE(away.size() == 2);  // Entra and Graph
  CHECK(away[0]["reached"] == false);
  CHECK(away[0]["error"] == "cannot connect");
  f.http.respond = [&](const auto&) -> broker::Result<broker::HttpResponse> {
    auto response = FakeHttp::Answer(404, "{}");
    response.date = f.clock.WallNow() - std::chrono::seconds(90);
    return response;
  };
  const json there = f.Ask(kOperator, "POST", "/v1/doctor/hosts").body["hosts"];
  CHECK(there[0]["reached"] == true);
  CHECK(there[0]["clock_skew_s"] == 90);
}

TEST_CASE("Each listed host is tried, the authority first, whatever became of the others") {
  Fixture f;
  auto config = ThreeCredentials();
  config.vaults["corp"] = {.name = "corp",
                           .kind = "azure-key-vault",
                           .url = "https://corp-agents.vault.azure.net",
                           .auth = "managed-identity"};
  config.vaults["mounted"] = {.name = "mounted", .kind = "mounted-files", .path = "/secrets"};
  config.credentials["here"] = {.name = "here",
                                .kind = "managed-identity",
                                .endpoint = "http://127.0.0.1:40342/metadata/identity"};
  f.broker.SetConfig(std::make_shared<const broker::policy::Config>(config));
  std::chrono::milliseconds longest{0};
  f.http.respond = [&](const broker::HttpRequest& request) -> broker::Result<broker::HttpResponse> {
    longest += request.deadline;
    if (request.url.find("vault") != std::string::npos) {
      return broker::Fail(ErrorCode::kUnavailable, "cannot connect");
    }
    return FakeHttp::Answer(400, "{}");
  };
  const json hosts = f.Ask(kOperator, "POST", "/v1/doctor/hosts").body["hosts"];
  const std::vector<std::pair<std::string, bool>> wanted{
      {"https://login.microsoftonline.com/" + std::string(kTenant) +
           "/v2.0/.well-known/openid-configuration",
       true},
      {"https://corp-agents.vault.azure.net:443/", false},
      {"https://graph.microsoft.com:443/", true},
      {"http://127.0.0.1:40342/", true},
      {"http://169.254.169.254:80/", true}};
  REQUIRE(hosts.size() == wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    CHECK(hosts[i]["url"] == wanted[i].first);
    CHECK(hosts[i]["reached"] == wanted[i].second);
  }
  CHECK(longest < std::chrono::minutes(1));  // the command waits no longer
}
