#include "sidecar/window/form.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace sidecar::window {
namespace {

using broker::Reason, broker::Refuse;

std::optional<std::string> Decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  while (!text.empty()) {
    char c = text.front();
    size_t used = 1;
    if (c == '%') {
      uint8_t byte = 0;
      if (text.size() < 3) return std::nullopt;
      const auto [end, error] = std::from_chars(text.data() + 1, text.data() + 3, byte, 16);
      if (error != std::errc{} || end != text.data() + 3) return std::nullopt;
      c = static_cast<char>(byte);
      used = 3;
    } else if (c == '+') {
      c = ' ';
    }
    if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) return std::nullopt;
    decoded.push_back(c);
    text.remove_prefix(used);
  }
  return decoded;
}

std::unexpected<broker::Refusal> Malformed() {
  return Refuse(
      Reason::kMalformedRequest,
      "Write the form as name=value pairs joined by '&', percent-encoded; for a JSON body "
      "send Content-Type: application/json.");
}

}  // namespace

std::expected<FormFields, broker::Refusal> ParseForm(std::string_view body) {
  FormFields fields;
  while (!body.empty()) {
    const size_t end = std::min(body.find('&'), body.size());
    const std::string_view pair = body.substr(0, end);
    const size_t equals = pair.find('=');
    const bool trailing = end + 1 == body.size();
    if (equals == std::string_view::npos || equals == 0 || trailing) return Malformed();
    auto name = Decode(pair.substr(0, equals));
    auto value = Decode(pair.substr(equals + 1));
    if (!name || !value) return Malformed();
    if (std::ranges::any_of(fields, [&](const auto& field) { return field.first == *name; })) {
      return Refuse(Reason::kDuplicateField);
    }
    if (fields.size() == kMaxFormFields)
      return Refuse(Reason::kValueOutOfRange, "Send fewer fields.");
    fields.emplace_back(std::move(*name), std::move(*value));
    body.remove_prefix(std::min(end + 1, body.size()));
  }
  return fields;
}

}  // namespace sidecar::window
