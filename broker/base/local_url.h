// broker/base/local_url.h: the only addresses that are asked without TLS.
#pragma once
#include <string_view>

namespace broker {

/// "http://host[:port]/path", without query, fragment or user, of this machine or its own link:
/// 127.0.0.0/8 and 169.254.0.0/16 in four decimal numbers, [::1], localhost.
bool IsLocalHttpUrl(std::string_view text);

}  // namespace broker
