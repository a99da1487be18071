#include "broker/card_text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "broker/base/inert_text.h"
#include "broker/policy/inert.h"

namespace broker {
namespace {

using std::string_view;

struct Alike {
  char meant;
  string_view shown;
};
// clang-format off
// Markdown's own, HTML's, the braces of Adaptive Card functions and templates, mentions.
constexpr auto kAlike = std::to_array<Alike>({
    {'*', "∗"}, {'_', "＿"}, {'`', "ˋ"}, {'~', "∼"}, {'#', "＃"}, {'[', "［"}, {']', "］"},
    {'<', "‹"}, {'>', "›"}, {'&', "＆"}, {'\\', "＼"}, {'{', "｛"}, {'}', "｝"}, {'$', "＄"},
    {'@', "＠"}, {'|', "∣"},
});
// clang-format on
constexpr string_view kColon = "：";  // before "//": an address
constexpr string_view kDot = "․";     // between letters: a host's name
constexpr string_view kCut = "…";
constexpr std::array<string_view, 4> kQuotes = {"“", "”", "„", "‟"};

bool IsWordByte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         static_cast<unsigned char>(c) >= 0x80;
}

// Whole characters only.
void Cut(size_t most, std::string* text) {
  if (text->size() <= most) return;
  size_t end = most > kCut.size() ? most - kCut.size() : 0;
  while (end > 0 && (static_cast<unsigned char>((*text)[end]) & 0xc0) == 0x80) --end;
  text->resize(end);
  text->append(kCut);
}

// Text that may move or hide what stands around it is shown as the ASCII of a JSON string.
std::string Readable(string_view text) {
  for (string_view rest = text; !rest.empty();) {
    // IsInertText counts characters: a longer text is looked at in pieces of whole ones.
    size_t size = std::min(rest.size(), kMaxInertCharacters);
    while (size < rest.size() && (static_cast<unsigned char>(rest[size]) & 0xc0) == 0x80) ++size;
    if (!IsInertText(rest.substr(0, size))) return policy::Inert(text);
    rest.remove_prefix(size);
  }
  return std::string(text);
}

bool MeansAddress(string_view text, size_t at) {
  const char c = text[at];
  if (c == ':') return text.substr(at + 1).starts_with("//");
  return c == '.' && at > 0 && at + 1 < text.size() && IsWordByte(text[at - 1]) &&
         IsWordByte(text[at + 1]);
}

std::string Disarmed(string_view text, bool addresses) {
  std::string shown;
  shown.reserve(text.size() + 16);
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    const auto* const alike = std::ranges::find(kAlike, c, &Alike::meant);
    if (alike != kAlike.end()) {
      shown.append(alike->shown);
    } else if (addresses && MeansAddress(text, at)) {
      shown.append(c == ':' ? kColon : kDot);
    } else {
      shown.push_back(c);
    }
  }
  return shown;
}

}  // namespace

std::string CardText(string_view text, size_t most) {
  std::string shown = Disarmed(Readable(text), /*addresses=*/false);
  Cut(most, &shown);
  return shown;
}

std::string QuotedText(string_view text) {
  constexpr size_t kMost = 1000;  // 200 characters, each replaced, and their quotes
  std::string shown = Disarmed(Readable(text), /*addresses=*/true);
  for (const string_view quote : kQuotes) {
    for (size_t at = 0; (at = shown.find(quote, at)) != std::string::npos;) {
      shown.replace(at, quote.size(), 1, '"');
    }
  }
  Cut(kMost, &shown);
  return std::string(kQuotes[0]).append(shown).append(kQuotes[1]);
}

std::string HtmlText(string_view text) {
  std::string html;
  html.reserve(text.size() + 16);
  for (const char c : text) {
    switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      case '\'':
        html += "&#39;";
        break;
      default:
        html.push_back(c);
    }
  }
  return html;
}

}  // namespace broker
