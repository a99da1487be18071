// What claims to be an access token: the compact form, base64url and the claims inside. An input
// that begins with '{' is taken as claims and wrapped, so that the fuzzer gets past the encoding.
#include <sodium.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "broker/base/base64.h"
#include "broker/entra/access_token_claims.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bool ready = sodium_init() >= 0;
  if (!ready) std::abort();
  std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto bytes = broker::Base64UrlDecode(text)) {
    if (broker::Base64UrlEncode(bytes->Expose(broker::Exit::kTest)) != text) std::abort();
  }
  if (text.starts_with('{')) {
    text = broker::Base64UrlEncode("{}") + "." + broker::Base64UrlEncode(text) + ".s";
  }
  const auto claims = broker::entra::ReadAccessTokenClaims(broker::Secret::CopyOf(text));
  if (!claims) return 0;
  if (claims->aud.empty() || claims->tid.empty() || claims->app_id.empty()) std::abort();
  if (claims->exp <= 0 || claims->nbf < 0) std::abort();
  if (!std::ranges::is_sorted(claims->scopes)) std::abort();
  return 0;
}
