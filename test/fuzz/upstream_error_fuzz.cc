// An error's status (two bytes) and body. Whatever is in it, what reaches the operator's log is
// made of protocol words and numbers.
#include <sodium.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "broker/entra/upstream_error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bool ready = sodium_init() >= 0;
  if (!ready) std::abort();
  if (size < 2) return 0;
  broker::HttpResponse response;
  response.status = 100 + (data[0] << 8 | data[1]) % 500;
  response.body = broker::Secret::CopyOf({reinterpret_cast<const char*>(data) + 2, size - 2});
  const auto error = broker::entra::ReadUpstreamError(response);
  if (error.detail.size() > 250) std::abort();
  constexpr std::string_view kLawful =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_- ";
  if (error.detail.find_first_not_of(kLawful) != std::string::npos) std::abort();
  if (broker::entra::Describe(error.error_class).error_class != error.error_class) std::abort();
  return 0;
}
