#include "sidecar/ipc/questions.h"

#include <charconv>

namespace sidecar::ipc {

using broker::Error, broker::ErrorCode;

namespace {

constexpr std::string_view kNotFound = "not_found: ";
constexpr std::string_view kDenied = "denied: ";
constexpr std::string_view kUnavailable = "unavailable: ";

}  // namespace

std::string Encode(const Numbered& message) {
  return std::to_string(message.number) + " " + message.text;
}

std::optional<Numbered> DecodeNumbered(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data() + text.size() || *end != ' ') return std::nullopt;
  return Numbered{number, std::string(end + 1, text.data() + text.size())};
}

std::string TextOf(const Error& error) {
  const bool denied = error.code == ErrorCode::kDenied;
  const bool missing = error.code == ErrorCode::kNotFound;
  return std::string(denied ? kDenied : missing ? kNotFound : kUnavailable) + error.detail;
}

Error FileErrorOf(std::string_view text) {
  const auto after = [&](std::string_view word) { return std::string(text.substr(word.size())); };
  if (text.starts_with(kNotFound)) return {ErrorCode::kNotFound, after(kNotFound)};
  if (text.starts_with(kDenied)) return {ErrorCode::kDenied, after(kDenied)};
  if (text.starts_with(kUnavailable)) return {ErrorCode::kUnavailable, after(kUnavailable)};
  return {ErrorCode::kUnavailable, "the supervisor's answer cannot be read"};
}

}  // namespace sidecar::ipc
