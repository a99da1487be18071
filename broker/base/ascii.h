// broker/base/ascii.h: letters as protocols compare them. No locale has a say.
#pragma once
#include <algorithm>
#include <string>
#include <string_view>

namespace broker {

/// The letter in lower case; every other byte, and what is not ASCII, as it is.
constexpr char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

constexpr bool IsAlnum(char c) {  // ASCII letters and digits
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/// `text` with each letter in lower case.
inline std::string Lowered(std::string text) {
  std::ranges::transform(text, text.begin(), Lower);
  return text;
}

/// Bytes that are no letters are compared as they are. Not in constant time.
constexpr bool SameIgnoringCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, Lower, Lower);
}

}  // namespace broker
