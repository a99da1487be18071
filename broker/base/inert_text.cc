#include "broker/base/inert_text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

namespace broker {
namespace {

struct Span {
  uint32_t first, last;
};
// clang-format off
constexpr auto kForbidden = std::to_array<Span>({
    {0x0000, 0x001f}, {0x007f, 0x009f},                    // control
    {0x061c, 0x061c}, {0x200e, 0x200f},                    // marks that set a direction
    {0x2028, 0x2029},                                      // line and paragraph separator
    {0x202a, 0x202e}, {0x2066, 0x2069},                    // embeddings, overrides, isolates
    {0x00ad, 0x00ad}, {0x034f, 0x034f}, {0x115f, 0x1160},  // what no font shows: soft hyphen,
    {0x17b4, 0x17b5}, {0x180e, 0x180e}, {0x200b, 0x200b},  // joiners, fillers, invisible operators
    {0x2060, 0x2064}, {0x206a, 0x206f}, {0x3164, 0x3164},
    {0xfeff, 0xfeff}, {0xffa0, 0xffa0}, {0xfff9, 0xfffb},
    {0xe0000, 0xe007f}, {0xe0100, 0xe01ef},                // tags, variation selectors
});
// Marks that stand on the letter before: a heap of them covers the lines around it.
constexpr auto kMarks = std::to_array<Span>({
    {0x0300, 0x036f}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe20, 0xfe2f},
});
constexpr size_t kMostMarks = 4;  // more than any spelling puts on one letter
// clang-format on

template <size_t N>
bool IsIn(const std::array<Span, N>& spans, uint32_t character) {
  return std::ranges::any_of(
      spans, [character](Span span) { return character >= span.first && character <= span.last; });
}

// Takes one character; nothing where the bytes are no UTF-8 (RFC 3629).
std::optional<uint32_t> TakeCharacter(std::string_view* text) {
  const auto lead = static_cast<uint8_t>(text->front());
  const size_t size = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || text->size() < size) return std::nullopt;
  uint32_t character = size == 1 ? lead : lead & (0xffU >> (size + 1));
  for (size_t i = 1; i < size; ++i) {
    const auto next = static_cast<uint8_t>((*text)[i]);
    if ((next & 0xc0) != 0x80) return std::nullopt;
    character = character << 6 | (next & 0x3fU);
  }
  constexpr std::array<uint32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = character >= 0xd800 && character <= 0xdfff;
  if (character < kSmallest[size] || character > 0x10ffff || surrogate) return std::nullopt;
  text->remove_prefix(size);
  return character;
}

}  // namespace

bool IsInertText(std::string_view text) {
  size_t marks = 0;
  for (size_t characters = 0; !text.empty(); ++characters) {
    const auto character = TakeCharacter(&text);
    if (!character || characters == kMaxInertCharacters) return false;
    marks = IsIn(kMarks, *character) ? marks + 1 : 0;
    if (IsIn(kForbidden, *character) || marks > kMostMarks) return false;
  }
  return true;
}

}  // namespace broker
