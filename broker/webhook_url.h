// broker/webhook_url.h: the address of a webhook, which is a secret as a whole.
#pragma once
#include <string_view>

namespace broker {

// What a Teams workflow gives out has about 350 bytes.
inline constexpr size_t kMaxWebhookUrlBytes = 2048;

/// Whether it is an https URL of printable ASCII without user, fragment, backslash or blank, whose
/// host and port are those of `origin` ("https://host[:port]"), so that nothing but the host
/// decides who gets what is posted. Pure.
bool IsWebhookUrl(std::string_view url, std::string_view origin);

}  // namespace broker
