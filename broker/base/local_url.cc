#include "broker/base/local_url.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

namespace broker {
namespace {

constexpr size_t kMaxUrlBytes = 1024;  // longer than any platform's endpoint

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsPathCharacter(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("/-._~").find(c) != std::string_view::npos;
}

// Decimal without a leading zero, which some resolvers read as octal.
std::optional<uint32_t> ParseNumber(std::string_view text, uint32_t largest) {
  uint32_t value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = fault == std::errc{} && end == text.data() + text.size();
  if (!whole || value > largest || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  return value;
}

bool IsLocalAddress(std::string_view host) {
  constexpr size_t kParts = 4;
  uint32_t first = 0;
  uint32_t second = 0;
  for (size_t i = 0; i < kParts; ++i) {
    const size_t dot = host.find('.');
    const auto part = ParseNumber(host.substr(0, dot), 255);
    if (!part || (dot == std::string_view::npos) != (i + 1 == kParts)) return false;
    if (i == 0) first = *part;
    if (i == 1) second = *part;
    if (i + 1 < kParts) host.remove_prefix(dot + 1);
  }
  return first == 127 || (first == 169 && second == 254);
}

}  // namespace

bool IsLocalHttpUrl(std::string_view text) {
  constexpr std::string_view kScheme = "http://";
  if (!text.starts_with(kScheme) || text.size() > kMaxUrlBytes) return false;
  text.remove_prefix(kScheme.size());
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  std::string_view host = text.substr(0, slash);
  const size_t bracket = host.find(']');
  const size_t colon = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    if (ParseNumber(host.substr(colon + 1), 65535).value_or(0) == 0) return false;
    host = host.substr(0, colon);
  }
  return (host == "localhost" || host == "[::1]" || IsLocalAddress(host)) &&
         std::ranges::all_of(text.substr(slash), IsPathCharacter);
}

}  // namespace broker
