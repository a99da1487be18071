#include "broker/entra/form.h"

namespace broker::entra {
namespace {

bool IsUnreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

// Hands `out` runs of unreserved characters whole and every other byte as %XX.
template <class Out>
void Encode(std::string_view text, Out out) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  size_t run = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsUnreserved(text[i])) continue;
    const auto byte = static_cast<unsigned char>(text[i]);
    const char escaped[] = {'%', kHex[byte >> 4], kHex[byte & 15]};
    out(text.substr(run, i - run));
    out(std::string_view(escaped, sizeof escaped));
    run = i + 1;
  }
  out(text.substr(run));
}

}  // namespace

std::string PercentEncode(std::string_view text) {
  std::string encoded;
  Encode(text, [&](std::string_view part) { encoded += part; });
  return encoded;
}

void Form::Add(std::string_view name, std::string_view value) {
  if (!body_.empty()) body_.Append("&");
  body_.Append(name);
  body_.Append("=");
  Encode(value, [&](std::string_view part) { body_.Append(part); });
}

void Form::Add(std::string_view name, const Secret& value) {
  Add(name, value.Expose(Exit::kSendUpstream));
}

}  // namespace broker::entra
