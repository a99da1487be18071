#include "broker/webhook_url.h"

#include <algorithm>

#include "broker/policy/config_values.h"

namespace broker {

bool IsWebhookUrl(std::string_view url, std::string_view origin) {
  constexpr std::string_view kScheme = "https://";
  if (url.size() > kMaxWebhookUrlBytes || !url.starts_with(kScheme)) return false;
  const bool plain =
      std::ranges::all_of(url, [](char c) { return c > ' ' && c < 0x7f && c != '\\' && c != '#'; });
  if (!plain) return false;
  const size_t path = url.find('/', kScheme.size());
  if (path == url.npos) return false;  // without one it is no webhook, but a host
  const std::string_view start = url.substr(0, path);
  return policy::IsHttpsOrigin(start) && policy::IsHttpsOrigin(origin) &&
         policy::HostAndPort(start) == policy::HostAndPort(origin);
}

}  // namespace broker
