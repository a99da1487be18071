// sidecar/window/header_text.h: comparing and trimming text of headers.
#pragma once
#include <algorithm>
#include <string_view>

namespace sidecar::window {

/// `lower` is in lower case. ASCII only: no locale has a say.
inline bool EqualsIgnoringCase(std::string_view text, std::string_view lower) {
  return std::ranges::equal(text, lower, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + ('a' - 'A')) : a) == b;
  });
}

/// Without the spaces around it. (Tabs never get this far.)
inline std::string_view Trim(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

}  // namespace sidecar::window
