// broker/entra/base64url.h: base64url without padding (RFC 4648 §5, RFC 7515 §2).
#pragma once
#include <string>
#include <string_view>

#include "broker/base/result.h"
#include "broker/base/secret.h"

namespace broker::entra {

std::string Base64UrlEncode(std::string_view bytes);

/// The decoded bytes. Canonical only: padding, line breaks, other alphabets and stray bits in the
/// last character are kInvalidRequest, so that one token has one spelling.
Result<Secret> Base64UrlDecode(std::string_view text);

}  // namespace broker::entra
