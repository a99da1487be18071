#include "broker/policy/clouds.h"

#include <algorithm>
#include <array>

#include "broker/base/ascii.h"
#include "broker/policy/scopes.h"

namespace broker::policy {
namespace {

// clang-format off
constexpr std::array<Cloud, 4> kClouds = {{
    {.name = "public",
     .authority = "https://login.microsoftonline.com", .graph = "https://graph.microsoft.com", .vault_suffix = "vault.azure.net",
     .exchange_audience = "api://AzureADTokenExchange",
     .issuer = "https://login.microsoftonline.com", .sts = "https://sts.windows.net"},
    {.name = "usgov",
     .authority = "https://login.microsoftonline.us", .graph = "https://graph.microsoft.us", .vault_suffix = "vault.usgovcloudapi.net",
     .exchange_audience = "api://AzureADTokenExchangeUSGov",
     .issuer = "https://login.microsoftonline.us", .sts = "https://sts.windows.net"},
    {.name = "usgov-dod",
     .authority = "https://login.microsoftonline.us", .graph = "https://dod-graph.microsoft.us", .vault_suffix = "vault.usgovcloudapi.net",
     .exchange_audience = "api://AzureADTokenExchangeUSGov",
     .issuer = "https://login.microsoftonline.us", .sts = "https://sts.windows.net"},
    {.name = "china",
     .authority = "https://login.chinacloudapi.cn", .graph = "https://microsoftgraph.chinacloudapi.cn", .vault_suffix = "vault.azure.cn",
     .exchange_audience = "api://AzureADTokenExchangeChina",
     .issuer = "https://login.partner.microsoftonline.cn", .sts = "https://sts.chinacloudapi.cn"},
}};
// clang-format on

}  // namespace

const Cloud* FindCloud(std::string_view name) {
  const auto found = std::ranges::find(kClouds, name, &Cloud::name);
  return found == kClouds.end() ? nullptr : &*found;
}

bool IsGraphOfSomeCloud(std::string_view resource) {
  return std::ranges::any_of(
      kClouds, [&](const Cloud& cloud) { return SameIgnoringCase(cloud.graph, resource); });
}

std::string_view ExchangeAudience(const Tenant& tenant) {
  const Cloud* cloud = FindCloud(tenant.cloud);
  return cloud == nullptr ? kClouds.front().exchange_audience : cloud->exchange_audience;
}

std::vector<std::string> IssuersOf(const Tenant& tenant, std::string_view tenant_guid) {
  const std::string guid = Lowered(std::string(tenant_guid));
  const Cloud* cloud = FindCloud(tenant.cloud);
  const std::string issuer(cloud == nullptr ? tenant.authority : cloud->issuer);
  const std::string sts(cloud == nullptr ? kClouds.front().sts : cloud->sts);
  return {issuer + "/" + guid + "/v2.0", sts + "/" + guid + "/"};
}

}  // namespace broker::policy
