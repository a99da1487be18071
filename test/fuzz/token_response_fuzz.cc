// The bodies that Entra answers with: tokens, device codes, discovery.
#include <sodium.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "broker/entra/device_code.h"
#include "broker/entra/discovery.h"
#include "broker/entra/token_response.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bool ready = sodium_init() >= 0;
  if (!ready) std::abort();
  const auto body = broker::Secret::CopyOf({reinterpret_cast<const char*>(data), size});
  const auto token = broker::entra::ReadTokenResponse(body, "https://graph.microsoft.com");
  if (token && (token->access_token.empty() || token->expires_in.count() <= 0)) std::abort();
  if (token && token->refresh_in > token->expires_in) std::abort();
  const auto code = broker::entra::ReadDeviceCode(body);
  if (code && !code->verification_uri.starts_with("https://")) std::abort();
  const auto tenant = broker::entra::ReadTenantGuid(body);
  if (tenant && !broker::entra::IsGuid(*tenant)) std::abort();
  return 0;
}
