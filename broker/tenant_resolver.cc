#include "broker/tenant_resolver.h"

#include "broker/entra/discovery.h"
#include "broker/entra/token_request.h"
#include "broker/entra/upstream_error.h"

namespace broker {

std::optional<std::expected<std::string, Refusal>> TenantResolver::Find(Known& known) {
  const std::scoped_lock lock(mutex_);
  if (!known.guid.empty()) return known.guid;
  if (clock_.Now() < known.not_before) return std::unexpected(known.trouble);
  return std::nullopt;
}

std::expected<std::string, Refusal> TenantResolver::Resolve(const policy::Tenant& tenant) {
  if (entra::IsGuid(tenant.id)) return tenant.id;
  const std::string url = entra::DiscoveryUrl({tenant.authority, tenant.id});
  Known* known = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    known = &known_[url];
  }
  if (auto found = Find(*known)) return *std::move(found);
  const std::scoped_lock turn(known->turn);
  // Who had to wait finds what was learnt meanwhile.
  if (auto found = Find(*known)) return *std::move(found);
  auto guid = Ask(url);
  const std::scoped_lock lock(mutex_);
  if (guid) {
    known->guid = *guid;
  } else {
    known->trouble = guid.error();
    known->not_before = clock_.Now() + guid.error().retry_after.value_or(kFailurePause);
  }
  return guid;
}

std::expected<std::string, Refusal> TenantResolver::Ask(const std::string& url) {
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
  return std::move(*guid);
}

}  // namespace broker
