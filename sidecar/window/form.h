// sidecar/window/form.h: application/x-www-form-urlencoded, read strictly. Pure.
#pragma once
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/reason.h"

namespace sidecar::window {

using FormFields = std::vector<std::pair<std::string, std::string>>;

inline constexpr size_t kMaxFormFields = 16;  // twice what a token request can have

/// The fields of a form body in their order (RFC 6749 appendix B, WHATWG URL §5.1). Refuses what
/// has two readings: a field without '=', an empty name, a percent sign without two hex digits, a
/// control character after decoding, a name that occurs twice.
std::expected<FormFields, broker::Refusal> ParseForm(std::string_view body);

}  // namespace sidecar::window
