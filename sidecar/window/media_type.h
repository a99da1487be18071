// sidecar/window/media_type.h: what two header values of a token request say. Pure.
#pragma once
#include <string_view>

namespace sidecar::window {

enum class MediaType { kJson, kForm, kOther };

/// The kind of a Content-Type value. No parameter but charset=utf-8 is understood.
MediaType MediaTypeOf(std::string_view content_type);

/// True if an Authorization value is more than what OAuth libraries send without being asked to:
/// the Basic scheme with a client id and an empty password (RFC 6749 §2.3.1).
bool CarriesSecret(std::string_view authorization);

}  // namespace sidecar::window
