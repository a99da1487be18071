#include "broker/base/base64.h"

#include <sodium.h>

namespace broker {
namespace {

Result<Secret> Decode(std::string_view text, int variant, const char* fault) {
  if (text.empty()) return Secret();
  Secret bytes = Secret::Allocate(text.size() / 4 * 3 + 3);
  const auto room = bytes.Writable();
  size_t size = 0;
  const char* end = nullptr;
  const int failed = sodium_base642bin(reinterpret_cast<unsigned char*>(room.data()), room.size(),
                                       text.data(), text.size(), nullptr, &size, &end, variant);
  if (failed != 0 || end != text.data() + text.size()) {
    return Fail(ErrorCode::kInvalidRequest, fault);
  }
  bytes.Truncate(size);
  return bytes;
}

std::string Encode(std::string_view bytes, int variant) {
  std::string text(sodium_base64_encoded_len(bytes.size(), variant), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), variant);
  text.pop_back();  // the NUL that libsodium counts
  return text;
}

}  // namespace

std::string Base64UrlEncode(std::string_view bytes) {
  return Encode(bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

std::string Base64Encode(std::string_view bytes) {
  return Encode(bytes, sodium_base64_VARIANT_ORIGINAL);
}

Secret Base64UrlEncodeSecret(std::string_view bytes) {
  Secret text = Secret::Allocate(
      sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_URLSAFE_NO_PADDING));
  const auto room = text.Writable();
  sodium_bin2base64(room.data(), room.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  text.Truncate(room.size() - 1);  // as above
  return text;
}

Result<Secret> Base64UrlDecode(std::string_view text) {
  return Decode(text, sodium_base64_VARIANT_URLSAFE_NO_PADDING, "not base64url");
}

Result<Secret> Base64Decode(std::string_view text) {
  return Decode(text, sodium_base64_VARIANT_ORIGINAL, "not base64");
}

}  // namespace broker
