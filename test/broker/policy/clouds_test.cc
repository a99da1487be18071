// What follows from the one word `cloud`, in a configuration that was parsed.
#include "broker/policy/clouds.h"

#include <algorithm>

#include "broker/policy/config_parser.h"
#include "broker/policy/scopes.h"
#include "test/broker/policy/config_fixture.h"

using namespace broker::policy;
using fixture::Parse, fixture::Valid, fixture::With;

namespace {

constexpr const char* kGuid = "8f0c1a52-0000-4000-8000-00000000abcd";

std::string InCloud(const std::string& tenant, const std::string& vault_host) {
  return With("[seal]", tenant + "[vault.corp]\nkind = \"azure-key-vault\"\nurl = \"https://" +
                            vault_host + "\"\nauth = \"managed-identity\"\n[seal]");
}

}  // namespace

TEST_CASE("Authority, Graph, key vaults, audiences and hosts follow from one word") {
  // Microsoft's own documents of the national clouds; everything here is written out on purpose.
  struct Row {
    std::string cloud, authority, graph, suffix, exchange, issuer, sts;
  };
  // clang-format off
  const Row rows[] = {
      {"public",    "login.microsoftonline.com", "graph.microsoft.com",             "vault.azure.net",        "api://AzureADTokenExchange",      "login.microsoftonline.com",         "sts.windows.net"},
      {"usgov",     "login.microsoftonline.us",  "graph.microsoft.us",              "vault.usgovcloudapi.net", "api://AzureADTokenExchangeUSGov", "login.microsoftonline.us",          "sts.windows.net"},
      {"usgov-dod", "login.microsoftonline.us",  "dod-graph.microsoft.us",          "vault.usgovcloudapi.net", "api://AzureADTokenExchangeUSGov", "login.microsoftonline.us",          "sts.windows.net"},
      {"china",     "login.chinacloudapi.cn",    "microsoftgraph.chinacloudapi.cn", "vault.azure.cn",         "api://AzureADTokenExchangeChina", "login.partner.microsoftonline.cn",  "sts.chinacloudapi.cn"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.cloud);
    const std::string vault = "corp." + row.suffix;
    const Config config = Valid(InCloud("cloud = \"" + row.cloud + "\"\n", vault));
    CHECK(config.tenant.authority == "https://" + row.authority);
    CHECK(config.tenant.graph == "https://" + row.graph);
    CHECK(config.tenant.vault_suffix == row.suffix);
    CHECK(ExchangeAudience(config.tenant) == row.exchange);
    CHECK(IssuersOf(config.tenant, kGuid) ==
          std::vector<std::string>{"https://" + row.issuer + "/" + kGuid + "/v2.0",
                                   "https://" + row.sts + "/" + kGuid + "/"});
    CHECK(ResourceOf("Mail.Read", config.tenant.graph) == "https://" + row.graph);
    CHECK(IsGraphOfSomeCloud("https://" + row.graph));
    std::vector<std::string> hosts = {vault + ":443", row.authority + ":443", row.graph + ":443"};
    std::ranges::sort(hosts);
    CHECK(Hosts(config) == hosts);
    for (const Row& other : rows) {
      const auto elsewhere =
          Parse(InCloud("cloud = \"" + row.cloud + "\"\n", "corp." + other.suffix));
      CHECK(elsewhere.has_value() == (other.suffix == row.suffix));
    }
  }
}

TEST_CASE("No vault is of a cloud because its host looks alike") {
  for (const char* host : {"vault.azure.net", "corpvault.azure.net",
                           "corp.vault.azure.net.evil.example", "corp.vault.azure.net-evil.example",
                           "corp.evilvault.azure.net", "corp.vault.azure.network"}) {
    CAPTURE(host);
    CHECK_FALSE(Parse(InCloud("", host)).has_value());
  }
  CHECK(Parse(InCloud("", "corp.vault.azure.net")).has_value());
}

TEST_CASE("A cloud of one's own names its places itself") {
  const Config config =
      Valid(InCloud("cloud = \"custom\"\nauthority = \"https://login.example\"\ngraph = "
                    "\"https://graph.example\"\n"
                    "vault_suffix = \"vault.example\"\n",
                    "keys.elsewhere.example:8443"));
  CHECK(config.tenant.authority == "https://login.example");
  CHECK(config.tenant.graph == "https://graph.example");
  CHECK(Hosts(config) == std::vector<std::string>{"graph.example:443",
                                                  "keys.elsewhere.example:8443",
                                                  "login.example:443"});
  CHECK(FindCloud("custom") == nullptr);
  CHECK(FindCloud("") == nullptr);
}
