// broker/base/inert_text.h: free text that people read beside what purser says.
#pragma once
#include <string_view>

namespace broker {

inline constexpr size_t kMaxInertCharacters = 200;  // what an approver reads at a glance

/// At most 200 characters of valid UTF-8, none of which moves or hides what stands around it when a
/// person reads it: no control characters (C0, DEL, C1, line and paragraph separators), no
/// bidirectional formatting (UAX #9), no tag characters.
bool IsInertText(std::string_view text);

}  // namespace broker
