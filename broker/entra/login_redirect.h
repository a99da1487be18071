// broker/entra/login_redirect.h: what a browser brings back from a login (RFC 6749 §4.1.2).
#pragma once
#include <cstddef>
#include <string_view>

#include "broker/base/result.h"
#include "broker/base/secret.h"

namespace broker::entra {

// Entra's codes have about 1 kB; browsers' addresses end at 8 kB or later.
inline constexpr size_t kMaxRedirectBytes = size_t{8} << 10;
/// The code in what the browser asked the loopback listener for ("/?code=…&state=…"), or in the
/// whole address that a person pasted; `state` is what went out with the login. Errors:
/// kInvalidRequest (no such answer; a parameter twice) · kConflict (another login's state) ·
/// kDenied (the person or Entra said no: the detail ends with the error's word, or with "error").
/// Prose of the answer is not looked at.
Result<Secret> ReadRedirect(std::string_view target, std::string_view state);

}  // namespace broker::entra
