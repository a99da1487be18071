#include "broker/tenant_resolver.h"

#include "broker/entra/discovery.h"
#include "broker/entra/token_request.h"
#include "broker/entra/upstream_error.h"

namespace broker {

std::expected<std::string, Refusal> TenantResolver::Resolve(const policy::Tenant& tenant) {
  if (entra::IsGuid(tenant.id)) return tenant.id;
  const std::string url = entra::DiscoveryUrl({tenant.authority, tenant.id});
  {
    const std::scoped_lock lock(mutex_);
    if (const auto it = known_.find(url); it != known_.end()) return it->second;
  }
  HttpRequest request;
  request.method = "GET";
  request.url = url;
  const auto response = http_.Send(request);
  if (!response || response->status != 200) {
    const auto error = response ? entra::ReadUpstreamError(*response)
                                : entra::ReadTransportError(response.error());
    return std::unexpected(Refusal{entra::Describe(error.error_class).reason,
                                   {},
                                   "tenant discovery: " + error.detail,
                                   error.retry_after});
  }
  auto guid = entra::ReadTenantGuid(response->body);
  if (!guid) return Refuse(Reason::kUpstreamInvalid, {}, guid.error().detail);
  const std::scoped_lock lock(mutex_);
  return known_[url] = *guid;
}

}  // namespace broker
