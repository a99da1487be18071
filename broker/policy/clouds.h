// broker/policy/clouds.h: what follows from the one word `cloud`.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "broker/policy/config.h"

namespace broker::policy {

/// Sources: "Microsoft Graph national cloud deployments"; Key Vault's "About keys, secrets and
/// certificates" for the suffixes; "Configure an application to trust a managed identity" for the
/// exchange audiences; each authority's discovery documents for the issuers.
struct Cloud {
  std::string_view name;
  std::string_view authority;
  std::string_view graph;
  std::string_view vault_suffix;
  /// The audience of a token that is itself a client assertion.
  std::string_view exchange_audience;
  /// Who signs users' tokens: ISSUER/TENANT/v2.0, and STS/TENANT/ for tokens of version 1.0.
  std::string_view issuer, sts;
};

/// nullptr for "custom" and unknown names.
const Cloud* FindCloud(std::string_view name);

/// Whether it is Graph in any of the clouds; ASCII case does not matter.
bool IsGraphOfSomeCloud(std::string_view resource);

/// Of the tenant's cloud; a custom cloud uses the public one's.
std::string_view ExchangeAudience(const Tenant& tenant);
/// The issuers of tokens of the tenant with this GUID, in lower case as Entra writes it. A custom
/// cloud's authority is its issuer; for version 1.0 it uses the public one's.
std::vector<std::string> IssuersOf(const Tenant& tenant, std::string_view tenant_guid);

}  // namespace broker::policy
