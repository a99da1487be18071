#include "broker/entra/base64url.h"

#include <sodium.h>

namespace broker::entra {

std::string Base64UrlEncode(std::string_view bytes) {
  std::string text(
      sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_URLSAFE_NO_PADDING), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  text.pop_back();  // the NUL that libsodium counts
  return text;
}

Result<Secret> Base64UrlDecode(std::string_view text) {
  if (text.empty()) return Secret();
  Secret bytes = Secret::Allocate(text.size() / 4 * 3 + 3);
  const auto room = bytes.Writable();
  size_t size = 0;
  const char* end = nullptr;
  const int failed = sodium_base642bin(reinterpret_cast<unsigned char*>(room.data()), room.size(),
                                       text.data(), text.size(), nullptr, &size, &end,
                                       sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  if (failed != 0 || end != text.data() + text.size()) {
    return Fail(ErrorCode::kInvalidRequest, "not base64url");
  }
  bytes.Truncate(size);
  return bytes;
}

}  // namespace broker::entra
