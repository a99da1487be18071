#include "sidecar/window/media_type.h"

#include <sodium.h>

#include <algorithm>
#include <array>

#include "sidecar/window/head.h"
#include "sidecar/window/header_text.h"

namespace sidecar::window {
MediaType MediaTypeOf(std::string_view content_type) {
  const size_t semicolon = std::min(content_type.find(';'), content_type.size());
  const std::string_view type = Trim(content_type.substr(0, semicolon));
  if (semicolon < content_type.size()) {
    const std::string_view parameter = Trim(content_type.substr(semicolon + 1));
    const bool utf8 = EqualsIgnoringCase(parameter, "charset=utf-8") ||
                      EqualsIgnoringCase(parameter, "charset=\"utf-8\"");
    if (!utf8) return MediaType::kOther;
  }
  if (EqualsIgnoringCase(type, "application/json")) return MediaType::kJson;
  if (EqualsIgnoringCase(type, "application/x-www-form-urlencoded")) return MediaType::kForm;
  return MediaType::kOther;
}

bool CarriesSecret(std::string_view authorization) {
  constexpr std::string_view kScheme = "basic ";
  if (authorization.empty()) return false;
  if (!EqualsIgnoringCase(authorization.substr(0, kScheme.size()), kScheme)) return true;
  const std::string_view encoded = Trim(authorization.substr(kScheme.size()));
  std::array<unsigned char, HeadLimits::kMaxHeadBytes>
      decoded;  // larger than what it can decode to
  size_t size = 0;
  const bool valid =
      sodium_base642bin(decoded.data(), decoded.size(), encoded.data(), encoded.size(), nullptr,
                        &size, nullptr, sodium_base64_VARIANT_ORIGINAL) == 0;
  const auto* colon = std::find(decoded.data(), decoded.data() + size, ':');
  const bool empty_password = valid && size > 0 && colon == decoded.data() + size - 1;
  sodium_memzero(decoded.data(), size);
  return !empty_password;
}

}  // namespace sidecar::window
