// broker/base/base64.h: base64 (RFC 4648 §4) and base64url without padding (§5, RFC 7515 §2).
#pragma once
#include <string>
#include <string_view>

#include "broker/base/result.h"
#include "broker/base/secret.h"

namespace broker {

/// As base64url, without padding.
std::string Base64UrlEncode(std::string_view bytes);
/// As ordinary base64, padded.
std::string Base64Encode(std::string_view bytes);
/// As Base64UrlEncode for bytes that are secret: the text stays in the arena.
Secret Base64UrlEncodeSecret(std::string_view bytes);

/// The decoded bytes. Canonical only: padding, line breaks, other alphabets and stray bits in the
/// last character are kInvalidRequest, so that one token has one spelling.
Result<Secret> Base64UrlDecode(std::string_view text);
/// The same for the ordinary alphabet, where padding is required.
Result<Secret> Base64Decode(std::string_view text);

}  // namespace broker
